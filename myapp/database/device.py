"""Push targets: the apps and browsers that a user has registered."""

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.queryset import QuerySet

from myapp.database.base import Entity
from myapp.database.fields import KeyField


class DevicePlatform(StrEnum):
    """What a device runs."""

    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


class Device(Entity):
    """One registration token of the push service; it belongs to one user at a time.

    `token_hash` is the SHA-256 of the token: tokens are longer than a unique index may be.
    """

    user: Any = fields.ForeignKeyField("models.User", related_name=False, db_index=False)
    token = fields.TextField()
    token_hash = KeyField(64, unique=True)
    platform = fields.CharEnumField(DevicePlatform, "", 16)
    last_seen_at = fields.DatetimeField(db_index=True)

    user_id: UUID

    class Meta:
        table = "devices"
        indexes = (Index(fields=("user_id", "id")),)

    @classmethod
    def of(cls, user_id: UUID) -> QuerySet[Self]:
        """A user's devices."""
        return cls.filter(user_id=user_id)

    @classmethod
    def not_seen_since(cls, moment: datetime) -> QuerySet[Self]:
        """Devices whose app has not registered since that moment."""
        return cls.filter(last_seen_at__lt=moment)


def hash_token(token: str) -> str:
    """The form in which a token is unique."""
    return sha256(token.encode()).hexdigest()
