"""Live events: the types that the system sends, with their payloads.

A payload says what it is about, so that a feature writes `Event.of(FileReady(...), user_id=...)`
and neither it nor the outbox needs to know how an event travels.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from myapp.enums import UserRole, UserStatus

RESYNC = "resync"  # what a client gets in place of a history that does not reach back to it


class EventType(StrEnum):
    """What the system itself tells; nobody else may publish these."""

    NOTIFICATION_CREATED = "notification.created"
    NOTIFICATION_READ = "notification.read"
    USER_UPDATED = "user.updated"
    USER_SUSPENDED = "user.suspended"
    FILE_READY = "file.ready"


RESERVED_TYPES = frozenset({RESYNC, *EventType})


class EventPayload(BaseModel):
    """What an event carries under `data`."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    type: ClassVar[EventType]


class NotificationCreated(EventPayload):
    """A notification has come into the user's inbox."""

    type = EventType.NOTIFICATION_CREATED

    id: UUID
    title: str
    body: str
    data: dict[str, str]
    created_at: datetime


class NotificationRead(EventPayload):
    """Notifications have been read, on whichever device; without ids it was all of them."""

    type = EventType.NOTIFICATION_READ

    ids: list[UUID] | None
    read_at: datetime


class UserUpdated(EventPayload):
    """The account has changed. Its picture's URL expires, and so is to be asked for."""

    type = EventType.USER_UPDATED

    id: UUID
    email: str | None
    name: str | None
    phone: str | None
    status: UserStatus
    role: UserRole


class UserSuspended(EventPayload):
    """The account is suspended: its streams end, and this may be the last that they tell."""

    type = EventType.USER_SUSPENDED

    id: UUID


class FileReady(EventPayload):
    """An upload has been checked and can be read."""

    type = EventType.FILE_READY

    id: UUID
    filename: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell one user, or everybody where `user_id` is None.

    `data` is a JSON object in UTF-8 on one line. It is written once, by who publishes, and goes
    to every client as it is.
    """

    type: str
    data: bytes
    user_id: UUID | None = None

    @classmethod
    def of(cls, payload: EventPayload, *, user_id: UUID | None) -> Self:
        return cls(payload.type.value, payload.model_dump_json().encode(), user_id)
