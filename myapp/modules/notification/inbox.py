"""The inbox: what a user was told, and what of it is read."""

from datetime import UTC, datetime
from uuid import UUID

from myapp.database.notification import Notification
from myapp.database.paging import Rows, read_page
from myapp.events import Event, NotificationRead
from myapp.modules.notification.dtos import InboxQuery
from myapp.outbox.writing import Outbox


class InboxUsecase:
    """A user's own notifications, the newest first."""

    def __init__(self, *, outbox: Outbox) -> None:
        self._outbox = outbox

    async def find(self, user_id: UUID, query: InboxQuery) -> Rows[Notification]:
        """One page of the inbox."""
        found = Notification.inbox(user_id, unread=query.unread)
        return await read_page(found, sort="-id", page=query.page, per_page=query.per_page)

    async def read(self, user_id: UUID, notification_id: UUID) -> Notification:
        """Marks one as read; it keeps the time of its first reading. Raises NotFound."""
        async with self._outbox.transaction() as handover:
            notification = await Notification.lock(notification_id, user_id=user_id)
            if notification.read_at is None:
                notification.read_at = datetime.now(UTC)
                await notification.save(update_fields=["read_at", "updated_at"])
                told = NotificationRead(ids=[notification.id], read_at=notification.read_at)
                handover.tell(Event.of(told, user_id=user_id))
        return notification

    async def read_all(self, user_id: UUID) -> int:
        """Marks all as read; returns how many were not."""
        now = datetime.now(UTC)
        async with self._outbox.transaction() as handover:
            unread = Notification.inbox(user_id, unread=True)
            count = await unread.update(read_at=now, updated_at=now)
            if count:
                told = NotificationRead(ids=None, read_at=now)
                handover.tell(Event.of(told, user_id=user_id))
        return count
