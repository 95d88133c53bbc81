"""Files that users keep, and objects in storage that no row points at."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.queryset import QuerySet

from myapp.database.base import Entity
from myapp.database.fields import KeyField
from myapp.errors import NotFound, Unavailable

FILENAME_CHARACTERS = 255
CONTENT_TYPE_CHARACTERS = 255
KEY_CHARACTERS = 200  # as long as a storage key may be
STRAY_AGE = timedelta(days=1)  # longer than any upload takes


class FileStatus(StrEnum):
    """How far a file has come."""

    PENDING = "pending"  # its bytes are still to come
    READY = "ready"


class File(Entity):
    """A user's file: its bytes are the object of `key` in storage.

    A pending file's key is one that a signed URL writes to; a ready one's is one that none can.
    `filename` is what its sender called it, and never part of a key or a path. `sha256` is in
    hexadecimal, and null where the bytes never passed through us.
    """

    # Without a constraint: a purged user's files outlive the row until their objects are removed.
    user: Any = fields.ForeignKeyField(
        "models.User", related_name=False, db_index=False, db_constraint=False
    )
    filename = fields.CharField(FILENAME_CHARACTERS)
    content_type = fields.CharField(CONTENT_TYPE_CHARACTERS)
    size = fields.BigIntField()
    sha256 = fields.CharField(64, null=True)
    # An empty description, or a new member of the enumeration would be a change of the schema.
    status = fields.CharEnumField(FileStatus, "", 16)
    key = KeyField(KEY_CHARACTERS)

    user_id: UUID

    class Meta:
        table = "files"
        indexes = (Index(fields=("user_id", "id")), Index(fields=("status", "created_at")))

    @classmethod
    def of(cls, user_id: UUID) -> QuerySet[Self]:
        """A user's files."""
        return cls.filter(user_id=user_id)

    @classmethod
    async def get_own(cls, file_id: UUID, *, user_id: UUID) -> Self:
        """One of the user's own. Raises NotFound."""
        return await cls._one(cls.of(user_id).filter(id=file_id))

    @classmethod
    async def lock(cls, file_id: UUID, *, user_id: UUID) -> Self:
        """The same, held until the transaction ends. Raises NotFound."""
        return await cls._one(cls.of(user_id).filter(id=file_id).select_for_update())

    @classmethod
    async def _one(cls, found: QuerySet[Self]) -> Self:
        file = await found.first()
        if file is None:
            raise NotFound("There is no such file")
        return file

    @classmethod
    def abandoned(cls, before: datetime) -> QuerySet[Self]:
        """Pending files from before that moment."""
        return cls.filter(status=FileStatus.PENDING, created_at__lt=before)

    @classmethod
    def ownerless(cls) -> QuerySet[Self]:
        """Files whose user is gone."""
        return cls.filter(user__id__isnull=True)


class StrayObject(Entity):
    """An object in storage, or one to be, that no row points at. It is removed from `due_at` on.

    Who stores something reserves the key first, and keeps it in the transaction that points at
    it; who no longer points at something discards its key in that transaction. So whatever is
    killed in between, and whatever is out of reach, nothing stays in storage unknown.
    """

    key = KeyField(KEY_CHARACTERS, unique=True)
    due_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "stray_objects"

    @classmethod
    async def reserve(cls, key: str) -> None:
        """Before an object is stored: it is removed in a day unless it is kept."""
        await cls.create(key=key, due_at=datetime.now(UTC) + STRAY_AGE)

    @classmethod
    async def keep(cls, key: str) -> None:
        """In the transaction of the row that points at it. Raises Unavailable if it is too late."""
        if not await cls.filter(key=key, due_at__gt=datetime.now(UTC)).delete():
            raise Unavailable("This took too long")

    @classmethod
    async def give_up(cls, key: str) -> bool:
        """Ends a reservation, so that nobody keeps the object any more; whether there was one.

        A transaction that is about to keep it is waited for, or comes too late.
        """
        now = datetime.now(UTC)
        return bool(await cls.filter(key=key).update(due_at=now, updated_at=now))

    @classmethod
    async def discard(cls, keys: Iterable[str]) -> list[Self]:
        """In the transaction after which nothing points at these: they are to be removed at once.

        No row may have been left of them, which is so after `keep`.
        """
        now = datetime.now(UTC)
        strays = [cls(key=key, due_at=now) for key in keys]
        await cls.bulk_create(strays)
        return strays

    @classmethod
    def due(cls) -> QuerySet[Self]:
        """Those to be removed now."""
        return cls.filter(due_at__lte=datetime.now(UTC))
