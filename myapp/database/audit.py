"""The audit log: who changed what."""

from datetime import timedelta
from enum import StrEnum
from typing import Any, NoReturn

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from myapp.database.base import new_id
from myapp.database.fields import KeyField

ACTOR_CHARACTERS = 128
ACTION_CHARACTERS = 64
TARGET_CHARACTERS = 200  # a job's key is the longest
ADDRESS_CHARACTERS = 64
REQUEST_ID_CHARACTERS = 128

KEPT = timedelta(days=365)


class ActorType(StrEnum):
    """By which door a change came."""

    USER = "user"
    API_KEY = "api_key"
    CLI = "cli"
    TUI = "tui"
    SYSTEM = "system"


class AuditRecord(Model):
    """One change that somebody made.

    It is written once and never changed, and it refers to nothing: the ids of its actor and its
    target stay when their rows are gone. `before` and `after` hold the fields that changed, and
    no secrets. Its id grows with time and gives the order of the log.
    """

    id: Any = fields.UUIDField(primary_key=True, default=new_id)
    created_at = fields.DatetimeField(auto_now_add=True)
    # An empty description, or a new member of the enumeration would be a change of the schema.
    actor_type = fields.CharEnumField(ActorType, "", 16)
    actor_id = KeyField(ACTOR_CHARACTERS, null=True)
    action = KeyField(ACTION_CHARACTERS)
    target_type = KeyField(32)
    target_id = KeyField(TARGET_CHARACTERS)
    before: Any = fields.JSONField(null=True)
    after: Any = fields.JSONField(null=True)
    request_id = fields.CharField(REQUEST_ID_CHARACTERS, null=True)
    address = fields.CharField(ADDRESS_CHARACTERS, null=True)

    class Meta:
        table = "audit_records"
        indexes = (
            Index(fields=("actor_id", "id")),
            Index(fields=("action", "id")),
            Index(fields=("target_id", "id")),
            Index(fields=("created_at",)),
        )

    async def save(self, *args: Any, **options: Any) -> None:
        """Raises TypeError for a record that is stored already."""
        if self._saved_in_db:
            refuse()
        await super().save(*args, **options)

    async def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Raises TypeError."""
        refuse()


def refuse() -> NoReturn:
    raise TypeError("The audit log is only ever added to")
