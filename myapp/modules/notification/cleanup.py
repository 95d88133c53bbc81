"""The end of what notifications leave behind."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tortoise.models import Model
from tortoise.queryset import QuerySet

from myapp.database.idempotency import IdempotentRequest
from myapp.database.notification import Broadcast, Notification, PushRecord
from myapp.modules.notification.idempotency import KEPT

NOTIFICATIONS_KEPT = timedelta(days=90)
PUSH_RECORDS_KEPT = timedelta(days=7)  # far longer than a push is tried
BROADCASTS_KEPT = timedelta(days=7)
BATCH = 500


class NotificationCleanup:
    """Each removes in batches what is over, and returns how many rows."""

    async def remove_notifications(self) -> int:
        """Whole entries of the inbox, read or not."""
        before = datetime.now(UTC) - NOTIFICATIONS_KEPT
        return await remove(Notification.filter(created_at__lt=before))

    async def remove_push_records(self) -> int:
        before = datetime.now(UTC) - PUSH_RECORDS_KEPT
        return await remove(PushRecord.filter(created_at__lt=before))

    async def remove_broadcasts(self) -> int:
        """Only those that have come to their end."""
        before = datetime.now(UTC) - BROADCASTS_KEPT
        return await remove(Broadcast.filter(ended_at__lt=before))

    async def remove_requests(self) -> int:
        before = datetime.now(UTC) - KEPT
        return await remove(IdempotentRequest.filter(began_at__lt=before))


async def remove(found: QuerySet[Any]) -> int:
    """Deletes what is found, a batch a transaction."""
    model: type[Model] = found.model
    removed = 0
    while ids := await found.limit(BATCH).values_list("id", flat=True):
        await model.filter(id__in=ids).delete()
        removed += len(ids)  # the database's own count may hold what goes with these
    return removed
