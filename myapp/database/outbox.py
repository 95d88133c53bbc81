"""What has been committed and not yet been handed on: jobs for the queue, events for the hub."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID, uuid4

from tortoise import fields
from tortoise.models import Model
from tortoise.queryset import QuerySet

from myapp.database.fields import KeyField

NAME_CHARACTERS = 64
REQUEST_ID_CHARACTERS = 128
ERROR_CHARACTERS = 1000


class OutboxKind(StrEnum):
    """Where a row goes."""

    JOB = "job"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class OutboxState:
    """How many rows wait, since when the oldest does, and how many were set aside."""

    waiting: int
    oldest: datetime | None
    set_aside: int


class OutboxRow(Model):
    """A job or an event, written in the transaction of the change that it belongs to.

    The id gives the order; `key` is what Redis knows the row by, since ids begin anew with a new
    database. `name` is a task or an event's type, `payload` JSON text. A row that is refused is
    tried again from `retry_at` on, and set aside in the end, with the last `error`.
    """

    id: Any = fields.BigIntField(primary_key=True)
    key: Any = fields.UUIDField(default=uuid4)
    # An empty description, or a new member of the enumeration would be a change of the schema.
    kind = fields.CharEnumField(OutboxKind, "", 8)
    name = KeyField(NAME_CHARACTERS)
    user_id: Any = fields.UUIDField(null=True)
    payload = fields.TextField()
    request_id = fields.CharField(REQUEST_ID_CHARACTERS, null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    attempts = fields.IntField(default=0)
    error = fields.CharField(ERROR_CHARACTERS, null=True)
    retry_at = fields.DatetimeField(null=True)
    set_aside_at = fields.DatetimeField(null=True)

    class Meta:
        table = "outbox"

    @classmethod
    def waiting(cls, *, after: int = 0) -> QuerySet[Self]:
        """Rows that have not been set aside, in order."""
        return cls.filter(set_aside_at=None, id__gt=after).order_by("id")

    @classmethod
    async def remove(cls, ids: Iterable[int]) -> None:
        """Forgets rows that were handed on."""
        await cls.filter(id__in=list(ids)).delete()

    @classmethod
    def set_aside_before(cls, moment: datetime) -> QuerySet[Self]:
        """Rows that were given up before that moment."""
        return cls.filter(set_aside_at__lt=moment)

    @classmethod
    async def state(cls) -> OutboxState:
        """What an operator wants to know of the outbox.

        Rows go while it asks: none that waits has no oldest.
        """
        oldest = await cls.waiting().first()
        waiting = await cls.filter(set_aside_at=None).count()
        return OutboxState(
            waiting=waiting,
            oldest=oldest.created_at if oldest and waiting else None,
            set_aside=await cls.exclude(set_aside_at=None).count(),
        )

    async def refuse(
        self, error: str, *, retry_at: datetime | None, set_aside_at: datetime | None
    ) -> None:
        """Notes that handing it on has failed once more."""
        self.attempts += 1
        self.error = error[:ERROR_CHARACTERS]
        self.retry_at, self.set_aside_at = retry_at, set_aside_at
        await self.save(update_fields=["attempts", "error", "retry_at", "set_aside_at"])

    @property
    def group(self) -> UUID | None:
        """Whose rows keep their order; None belongs to nobody's."""
        found: UUID | None = self.user_id
        return found
