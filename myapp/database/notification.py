"""Notifications: what users are told, and what became of each push."""

from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from tortoise import fields
from tortoise.expressions import Q
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.queryset import QuerySet

from myapp.database.base import Entity
from myapp.database.fields import KeyField
from myapp.enums import PushOutcome
from myapp.errors import NotFound

TITLE_CHARACTERS = 200
ERROR_CHARACTERS = 255
JOB_CHARACTERS = 200
MOVED_AT_ONCE = 500


class Notification(Entity):
    """One entry of one user's inbox.

    `pushed_at` is when every device had been seen to, and null until then. `push_job` is the job
    that sees to them, and until `push_until` no other one may: while it runs, and while it waits
    for its next attempt.
    """

    user: Any = fields.ForeignKeyField("models.User", related_name=False, db_index=False)
    title = fields.CharField(TITLE_CHARACTERS)
    body = fields.TextField()
    data: Any = fields.JSONField()
    read_at = fields.DatetimeField(null=True)
    pushed_at = fields.DatetimeField(null=True)
    push_job = KeyField(JOB_CHARACTERS, null=True)
    push_until = fields.DatetimeField(null=True)

    user_id: UUID

    class Meta:
        table = "notifications"
        indexes = (
            Index(fields=("user_id", "id")),
            Index(fields=("user_id", "read_at", "id")),
            Index(fields=("pushed_at", "created_at")),
            Index(fields=("created_at",)),
        )

    @classmethod
    def inbox(cls, user_id: UUID, *, unread: bool | None = None) -> QuerySet[Self]:
        """What a user was told; `unread` keeps only what is unread, or only what is read."""
        found = cls.filter(user_id=user_id)
        return found if unread is None else found.filter(read_at__isnull=unread)

    @classmethod
    async def move(cls, user_id: UUID, *, to: UUID) -> None:
        """Gives one user's inbox to another, who does not get twice what both were told."""
        known = set(await cls.filter(user_id=to).values_list("title", "body"))
        told = await cls.filter(user_id=user_id).values_list("id", "title", "body")
        unknown = [id_ for id_, title, body in told if (title, body) not in known]
        for start in range(0, len(unknown), MOVED_AT_ONCE):
            await cls.filter(id__in=unknown[start : start + MOVED_AT_ONCE]).update(user_id=to)

    @classmethod
    async def lock(cls, notification_id: UUID, *, user_id: UUID) -> Self:
        """One of the user's own, held until the transaction ends. Raises NotFound."""
        found = cls.filter(id=notification_id, user_id=user_id).select_for_update()
        notification = await found.first()
        if notification is None:
            raise NotFound("There is no such notification")
        return notification

    @classmethod
    async def claim(cls, notification_id: UUID, *, job: str, at: datetime, until: datetime) -> bool:
        """Whether this job may push it now.

        The same job may again: the queue never runs one twice at once, and a killed worker's is
        to go on without a wait.
        """
        free = Q(push_job=job) | Q(push_until=None) | Q(push_until__lt=at)
        found = cls.filter(free, id=notification_id, pushed_at=None)
        return bool(await found.update(push_job=job, push_until=until, updated_at=at))

    @classmethod
    def unfinished(cls, *, before: datetime, at: datetime) -> QuerySet[Self]:
        """Those made before that moment that nobody has pushed to the end, nor pushes now."""
        free = Q(push_until=None) | Q(push_until__lt=at)
        return cls.filter(free, pushed_at=None, created_at__lt=before)

    @classmethod
    async def finish(cls, *ids: UUID, at: datetime) -> None:
        """Every device has been seen to, or no longer will be."""
        await cls.filter(id__in=ids, pushed_at=None).update(
            pushed_at=at, push_until=None, updated_at=at
        )


class PushRecord(Model):
    """What became of pushing one notification to one device. It is never pushed there again."""

    id: Any = fields.BigIntField(primary_key=True)
    notification: Any = fields.ForeignKeyField(
        "models.Notification", related_name=False, db_index=False
    )
    device_id: Any = fields.UUIDField()
    outcome = fields.CharEnumField(PushOutcome, "", 16)
    error = fields.CharField(ERROR_CHARACTERS, null=True)
    created_at = fields.DatetimeField(auto_now_add=True, db_index=True)

    notification_id: UUID

    class Meta:
        table = "push_records"
        unique_together = (("notification", "device_id"),)


class Broadcast(Entity):
    """A notification for all active users, on its way into their inboxes.

    `after` is the last user who has it: users come in the order of their ids.
    """

    title = fields.CharField(TITLE_CHARACTERS)
    body = fields.TextField()
    data: Any = fields.JSONField()
    after: Any = fields.UUIDField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "broadcasts"
        indexes = (Index(fields=("ended_at", "updated_at")),)

    @classmethod
    async def lock(cls, broadcast_id: UUID) -> Self | None:
        """The broadcast, held until the transaction ends; None if it has ended."""
        found = cls.filter(id=broadcast_id, ended_at=None).select_for_update()
        return await found.first()

    @classmethod
    def stalled(cls, *, since: datetime) -> QuerySet[Self]:
        """Those that have neither ended nor moved since that moment."""
        return cls.filter(ended_at=None, updated_at__lt=since)

    def end(self) -> None:
        """Every user has it."""
        self.ended_at = datetime.now(UTC)
