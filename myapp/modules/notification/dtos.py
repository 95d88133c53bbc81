"""What goes over the wire about notifications."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from myapp.database.notification import TITLE_CHARACTERS, Notification
from myapp.paging import PageQuery

BODY_CHARACTERS = 2000
MAX_USERS = 1000

Title = Annotated[str, Field(min_length=1, max_length=TITLE_CHARACTERS, examples=["New message"])]
Body = Annotated[str, Field(min_length=1, max_length=BODY_CHARACTERS, examples=["Bob: see you!"])]
Users = Annotated[list[UUID], Field(min_length=1, max_length=MAX_USERS)]


class NotificationResponse(BaseModel):
    """One entry of the inbox."""

    id: UUID
    title: Title
    body: Body
    data: Annotated[dict[str, str], Field(examples=[{"chat": "42"}])]
    read_at: Annotated[datetime | None, Field(examples=[None])]
    created_at: datetime

    @classmethod
    def of(cls, notification: Notification) -> Self:
        return cls.model_construct(
            id=notification.id,
            title=notification.title,
            body=notification.body,
            data=notification.data,
            read_at=notification.read_at,
            created_at=notification.created_at,
        )


class InboxQuery(PageQuery):
    """Which notifications to list."""

    unread: Annotated[
        bool | None, Field(description="true: only unread ones; false: only read ones.")
    ] = None


class ReadAllResponse(BaseModel):
    """How many notifications are read now that were not before."""

    read: int


class NewNotification(BaseModel):
    """What to tell, and to whom: exactly one of `user_id`, `user_ids` and `all`."""

    model_config = ConfigDict(extra="forbid")

    user_id: Annotated[UUID | None, Field(examples=["0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e01"])] = None
    user_ids: Users | None = None
    all: Annotated[Literal[True] | None, Field(description="Every active user.")] = None
    title: Title
    body: Body
    data: Annotated[
        dict[str, str],
        Field(
            description="3,500 bytes at most, keys and values together.",
            examples=[{"chat": "42"}],
        ),
    ] = {}

    @model_validator(mode="after")
    def check_addressees(self) -> Self:
        given = [each for each in (self.user_id, self.user_ids, self.all) if each is not None]
        if len(given) != 1:
            raise ValueError("takes exactly one of user_id, user_ids and all")
        return self

    @property
    def addressees(self) -> list[UUID]:
        """The users who are named, each once."""
        named = [self.user_id] if self.user_id else self.user_ids or []
        return list(dict.fromkeys(named))


class SendHeaders(BaseModel):
    """What a request to send may carry in its head."""

    idempotency_key: Annotated[
        str | None,
        Field(alias="Idempotency-Key", description="Makes it safe to send the request again."),
    ] = None


class AcceptedNotification(BaseModel):
    """What was accepted; without `ids` where it goes to all."""

    ids: Annotated[list[UUID] | None, Field(exclude_if=lambda ids: ids is None)] = None
    accepted: int
