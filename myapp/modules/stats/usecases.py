"""Numbers about the whole service."""

from collections import Counter
from collections.abc import Sequence

from redis.asyncio import Redis
from tortoise.functions import Count

from myapp.database.outbox import OutboxRow
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.errors import Unavailable
from myapp.modules.stats.dtos import OutboxNumbers, QueueNumbers, Stats, UserNumbers
from myapp.processes import ProcessState, read_processes
from myapp.queue.connection import PATIENCE, within_patience
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.sse.hub import Hub


class StatsUsecase:
    """Counts. What Redis knows is left out while it is away, for the rest still stands."""

    def __init__(self, redis: Redis, hub: Hub, *, queues: Sequence[str]) -> None:
        self._redis = redis
        self._hub = hub
        self._queues = queues

    async def read(self) -> Stats:
        """The present numbers. Raises Unavailable without the database."""
        users, outbox = await self.users(), await self.outbox()
        try:
            async with within_patience(PATIENCE):
                return Stats(
                    users=users,
                    outbox=outbox,
                    streams=await self.streams(),
                    queues=[await self._read_queue(name) for name in self._queues],
                    processes=await read_processes(self._redis),
                )
        except Unavailable:
            return Stats(users=users, outbox=outbox, streams=None, queues=None, processes=None)

    async def users(self) -> UserNumbers:
        """Counts every user. Raises Unavailable."""
        return await count_users()

    async def outbox(self) -> OutboxNumbers:
        """How much is yet to be handed on. Raises Unavailable."""
        state = await OutboxRow.state()
        return OutboxNumbers(waiting=state.waiting, oldest=state.oldest, set_aside=state.set_aside)

    async def list_set_aside(self, limit: int) -> Sequence[OutboxRow]:
        """What the outbox gave up, the last first. Raises Unavailable."""
        return await OutboxRow.exclude(set_aside_at=None).order_by("-set_aside_at").limit(limit)

    async def streams(self) -> int:
        """The open streams of all processes. Raises Unavailable."""
        return await self._hub.total_streams()

    async def processes(self) -> Sequence[ProcessState]:
        """Those that were heard of lately, the longest running first. Raises Unavailable."""
        async with within_patience(PATIENCE):
            return await read_processes(self._redis)

    async def _read_queue(self, name: str) -> QueueNumbers:
        pipeline = self._redis.pipeline(transaction=False)
        for status in JobStatus:
            pipeline.zcard(Key.BY_STATUS % (name, status))
        numbers = await pipeline.execute()
        return QueueNumbers(name=name, **dict(zip(JobStatus, numbers, strict=True)))


async def count_users() -> UserNumbers:
    rows = (
        await User.annotate(number=Count("id"))
        .group_by("status", "role")
        .values_list("status", "role", "number")
    )
    by_status: Counter[UserStatus] = Counter()
    administrators = 0
    for status, role, number in rows:
        by_status[status] += number
        if (status, role) == (UserStatus.ACTIVE, UserRole.ADMIN):
            administrators += number
    return UserNumbers(
        active=by_status[UserStatus.ACTIVE],
        suspended=by_status[UserStatus.SUSPENDED],
        deleted=by_status[UserStatus.DELETED],
        administrators=administrators,
    )
