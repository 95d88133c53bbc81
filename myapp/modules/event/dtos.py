"""What goes over the wire about live events."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from myapp.faults import Fits


class TicketResponse(BaseModel):
    """What opens one stream, once: `GET /events?ticket=`."""

    ticket: Annotated[str, Field(examples=["pT4nB1Xq0mJ8vR2c"])]
    expires_in: Annotated[int, Field(description="Seconds", examples=[30])]


class StreamQuery(BaseModel):
    """How a client without headers says who it is, and where it was."""

    ticket: Annotated[
        str | None, Field(description="In place of a token; from `POST /events/ticket`.")
    ] = None
    last_event_id: Annotated[
        str | None, Field(description="As the header `Last-Event-ID`, which goes first.")
    ] = None


class AdminStreamQuery(BaseModel):
    """Where a client without headers was."""

    last_event_id: Annotated[
        str | None, Field(description="As the header `Last-Event-ID`, which goes first.")
    ] = None


class StreamHeaders(BaseModel):
    """What a browser sends by itself when it comes back."""

    last_event_id: Annotated[str | None, Field(description="Go on after this event.")] = None


class NewEvent(BaseModel):
    """An event to send, to one user or to everybody."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user_id: Annotated[UUID | None, Field(description="Everybody, if left out.")] = None
    type: Annotated[
        str,
        Field(examples=["order.shipped"]),
        Fits(pattern=r"^[a-z0-9._:-]{1,64}$", otherwise="is not 1 to 64 of a-z, 0-9 and . _ : -"),
    ]
    data: Annotated[dict[str, Any], Field(examples=[{"order": 42}])]


class EventReceipt(BaseModel):
    """That an event has its place in history, under this id."""

    id: Annotated[str, Field(examples=["Zk3vY0aQ7mXw"])]
