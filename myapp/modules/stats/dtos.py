"""What goes over the wire about the state of the service."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from myapp.processes import ProcessState


class UserNumbers(BaseModel):
    """How many users there are. Administrators are counted among the active ones too."""

    active: int
    suspended: int
    deleted: int
    administrators: int


class QueueNumbers(BaseModel):
    """How many jobs a queue has, by their status."""

    name: Annotated[str, Field(examples=["default"])]
    scheduled: int
    queued: int
    active: int
    complete: int
    failed: int
    cancelled: int


class OutboxNumbers(BaseModel):
    """What was committed and is yet to be handed on, and what was set aside as unfit."""

    waiting: int
    oldest: Annotated[datetime | None, Field(examples=[None])]
    set_aside: int


class Stats(BaseModel):
    """The state of the service.

    `streams` (open event streams), `queues` and `processes` are null while Redis is away.
    """

    users: UserNumbers
    streams: int | None
    outbox: OutboxNumbers
    queues: list[QueueNumbers] | None
    processes: list[ProcessState] | None
