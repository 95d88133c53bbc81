"""A notification for all: one chunk of users a job, until there are no more."""

from uuid import UUID

import structlog

from myapp.database.notification import Broadcast
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.modules.notification.creation import Content, put_into_inboxes
from myapp.modules.notification.tasks import NOTIFICATION_BROADCAST, BroadcastPayload
from myapp.outbox.writing import Handover, Outbox
from myapp.queue.tasks import JobContext

CHUNK_USERS = 250  # a transaction of some 50 ms, in which SQLite takes no other write

log = structlog.get_logger()


class BroadcastUsecase:
    """Puts broadcasts into inboxes. Each user gets one however often a job runs."""

    def __init__(self, *, outbox: Outbox, chunk_users: int = CHUNK_USERS) -> None:
        self._outbox = outbox
        self._chunk_users = chunk_users

    async def handle(self, _job: JobContext, payload: BroadcastPayload) -> dict[str, int]:
        """The handler of `notification:broadcast`."""
        return {"users": await self.go_on(payload.broadcast_id)}

    async def go_on(self, broadcast_id: UUID) -> int:
        """Serves the next users, and hands on the job for those after them; returns how many.

        All of it is one transaction: a job that dies in it begins again where it began.
        """
        async with self._outbox.transaction() as handover:
            broadcast = await Broadcast.lock(broadcast_id)
            if broadcast is None:
                return 0
            return await self._serve(broadcast, handover)

    async def _serve(self, broadcast: Broadcast, handover: Handover) -> int:
        users = User.filter(status=UserStatus.ACTIVE, created_at__lte=broadcast.created_at)
        if broadcast.after is not None:
            users = users.filter(id__gt=broadcast.after)
        user_ids = await users.order_by("id").limit(self._chunk_users).values_list("id", flat=True)
        content = Content(broadcast.title, broadcast.body, broadcast.data)
        await put_into_inboxes(content, [UUID(str(each)) for each in user_ids], handover)
        if len(user_ids) < self._chunk_users:
            broadcast.end()
            log.info("broadcast complete", broadcast=str(broadcast.id))
        else:
            broadcast.after = user_ids[-1]
            handover.queue(NOTIFICATION_BROADCAST, BroadcastPayload(broadcast_id=broadcast.id))
        await broadcast.save()
        return len(user_ids)
