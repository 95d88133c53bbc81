"""The end of rows that were set aside."""

from datetime import UTC, datetime, timedelta

from myapp.database.outbox import OutboxRow

SET_ASIDE_KEPT = timedelta(days=30)  # long enough to be looked at
BATCH = 500


async def remove_set_aside() -> int:
    """Removes what was given up over 30 days ago; returns how many rows."""
    before = datetime.now(UTC) - SET_ASIDE_KEPT
    removed = 0
    while ids := await OutboxRow.set_aside_before(before).limit(BATCH).values_list("id", flat=True):
        removed += await OutboxRow.filter(id__in=ids).delete()
    return removed
