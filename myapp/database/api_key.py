"""Keys by which other services call the API."""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from tortoise import fields
from tortoise.expressions import Q
from tortoise.indexes import Index
from tortoise.queryset import QuerySet

from myapp.database.base import Entity
from myapp.database.fields import KeyField
from myapp.errors import NotFound

NAME_CHARACTERS = 255
USE_RESOLUTION = timedelta(minutes=1)  # how exactly the last use of a key is known


class Scope(StrEnum):
    """What a key may do."""

    NOTIFICATIONS_SEND = "notifications:send"
    EVENTS_PUBLISH = "events:publish"
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    METRICS_READ = "metrics:read"


class ApiKey(Entity):
    """A service's key, without the key itself.

    `public_id` is the part by which a key is looked up, `secret_hash` the SHA-256 of its secret in
    hexadecimal. `former_secrets` are those that were rotated out and still hold for a while: pairs
    of a hash and the end of its time, in seconds since 1970.
    """

    public_id = KeyField(12, unique=True)
    name = fields.CharField(NAME_CHARACTERS)
    scopes: Any = fields.JSONField()
    secret_hash = KeyField(64)
    former_secrets: Any = fields.JSONField()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_keys"
        indexes = (Index(fields=("created_at", "id")),)

    @classmethod
    async def by_public_id(cls, public_id: str) -> Self | None:
        return await cls.get_or_none(public_id=public_id)

    @classmethod
    async def get_one(cls, key_id: UUID) -> Self:
        """Raises NotFound."""
        return await cls._one(cls.filter(id=key_id))

    @classmethod
    async def lock(cls, key_id: UUID) -> Self:
        """The key for a change, held until the transaction ends. Raises NotFound."""
        return await cls._one(cls.filter(id=key_id).select_for_update())

    @classmethod
    async def _one(cls, found: QuerySet[Self]) -> Self:
        key = await found.first()
        if key is None:
            raise NotFound("There is no such API key")
        return key

    @classmethod
    async def record_use(cls, key_ids: Collection[UUID], *, at: datetime) -> None:
        """Notes when these were used, unless that is known well enough."""
        long_ago = Q(last_used_at=None) | Q(last_used_at__lt=at - USE_RESOLUTION)
        await cls.filter(long_ago, id__in=key_ids).update(last_used_at=at)

    @classmethod
    def dead_before(cls, moment: datetime) -> QuerySet[Self]:
        """Keys that were revoked or expired before that moment."""
        return cls.filter(Q(revoked_at__lt=moment) | Q(expires_at__lt=moment))

    def is_dead(self, *, at: datetime) -> bool:
        """Whether it was revoked or has expired."""
        expired = self.expires_at is not None and self.expires_at <= at
        return expired or self.revoked_at is not None

    def rotate(self, secret_hash: str, *, at: datetime, overlap: timedelta) -> None:
        """Takes a new secret. None of the old ones holds for longer than the overlap."""
        end = (at + overlap).timestamp()
        old = [*self.former_secrets, [self.secret_hash, end]]
        limited = [[former, min(until, end)] for former, until in old]
        self.former_secrets = [entry for entry in limited if entry[1] > at.timestamp()]
        self.secret_hash = secret_hash

    def current_secrets(self, *, at: datetime) -> list[str]:
        """The hashes of every secret that opens this key now."""
        former = [former for former, until in self.former_secrets if until > at.timestamp()]
        return [self.secret_hash, *former]
