"""Finding again what never finished: a net under the queue, for a Redis that lost its data."""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from myapp.database.notification import Broadcast, Notification
from myapp.modules.notification.tasks import (
    NOTIFICATION_BROADCAST,
    NOTIFICATION_SEND,
    BroadcastPayload,
    SendPayload,
)
from myapp.queue.client import JobQueue
from myapp.queue.tasks import JobContext, Nothing

OVERDUE = timedelta(minutes=10)
GIVEN_UP = timedelta(hours=24)  # a push a day late is noise; the inbox has it
AT_ONCE = 1000  # of each kind in one run

log = structlog.get_logger()


class RecoveryUsecase:
    """Queues overdue pushes and broadcasts again; a job that still waits is not doubled.

    A push that was put off is left to its job, which holds the claim until then.
    """

    def __init__(self, *, jobs: JobQueue, at_once: int = AT_ONCE) -> None:
        self._jobs = jobs
        self._at_once = at_once

    async def handle(self, _job: JobContext, _payload: Nothing) -> dict[str, int]:
        """The handler of `notification:recover`."""
        return await self.recover(datetime.now(UTC))

    async def recover(self, now: datetime) -> dict[str, int]:
        """Sees to all that is overdue at that moment; returns how many of each kind."""
        found = {
            "given_up": await give_up(now),
            "pushes": await self._recover_pushes(now),
            "broadcasts": await self._recover_broadcasts(now),
        }
        if any(found.values()):
            log.warning("unfinished notifications found", **found)
        return found

    async def _recover_pushes(self, now: datetime) -> int:
        overdue = Notification.unfinished(before=now - OVERDUE, at=now)
        # A claim counts as a change: what was tried last comes last, so that those that cannot be
        # pushed, the oldest of all, do not take the places of those whose jobs were lost.
        first = overdue.order_by("updated_at", "id").limit(self._at_once)
        pushes: Any = await first.values_list("id", "user_id")
        for each, user_id in pushes:
            payload = SendPayload(notification_id=each, user_id=user_id)
            await self._jobs.enqueue(NOTIFICATION_SEND, payload, key=f"notification:{each}")
        return len(pushes)

    async def _recover_broadcasts(self, now: datetime) -> int:
        stalled = await Broadcast.stalled(since=now - OVERDUE).limit(self._at_once)
        for each in stalled:
            payload = BroadcastPayload(broadcast_id=each.id)
            await self._jobs.enqueue(NOTIFICATION_BROADCAST, payload, key=f"broadcast:{each.id}")
        return len(stalled)


async def give_up(now: datetime) -> int:
    """Ends the pushes that nobody waits for any more."""
    late = Notification.unfinished(before=now - GIVEN_UP, at=now)
    ids: Any = await late.limit(AT_ONCE).values_list("id", flat=True)
    await Notification.finish(*ids, at=now)
    return len(ids)
