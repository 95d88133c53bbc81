"""A look at everything at once, of which each part may be away."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from myapp.errors import AppError
from myapp.modules.job import JobModule
from myapp.modules.stats import StatsModule
from myapp.modules.stats.dtos import OutboxNumbers, UserNumbers
from myapp.processes import ProcessState
from myapp.queue.admin_queues import QueueState, WorkerState
from myapp.queue.crons import CronState
from myapp.registry import Features

# Every row is counted: of a million users that is half a second of the database's time.
USERS_SECONDS = 30.0

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Survey:
    """How things stand. None is what could not be asked; `fault` says why."""

    users: UserNumbers | None = None
    outbox: OutboxNumbers | None = None
    streams: int | None = None
    processes: Sequence[ProcessState] | None = None
    queues: Sequence[QueueState] | None = None
    workers: Sequence[WorkerState] | None = None
    crons: Sequence[CronState] | None = None
    fault: AppError | None = None


class Surveyor:
    """Asks the usecases. Users are counted anew only every USERS_SECONDS, or after `forget`."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._users: UserNumbers | None = None
        self._users_until = 0.0

    def forget(self) -> None:
        self._users_until = 0.0

    async def look(self) -> Survey:
        """Asks everybody; what went wrong is in the answer."""
        stats, jobs = self._features.get(StatsModule).stats, self._features.get(JobModule)
        faults: list[AppError] = []

        async def attempt(ask: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
            try:
                return await ask()
            except AppError as error:
                faults.append(error)
                return None

        # Groups and not `gather`, which is over with the first that a cancellation ends: what
        # the others ask would be closed under them.
        async with asyncio.TaskGroup() as group:
            users = group.create_task(attempt(self._count_users))
            outbox = group.create_task(attempt(stats.outbox))
            streams = group.create_task(attempt(stats.streams))
            processes = group.create_task(attempt(stats.processes))
        async with asyncio.TaskGroup() as group:
            queues = group.create_task(attempt(jobs.queues.list_queues))
            workers = group.create_task(attempt(jobs.queues.list_workers))
            crons = group.create_task(attempt(jobs.clockwork.list))
        return Survey(
            users=users.result(),
            outbox=outbox.result(),
            streams=streams.result(),
            processes=processes.result(),
            queues=queues.result(),
            workers=workers.result(),
            crons=crons.result(),
            fault=faults[0] if faults else None,
        )

    async def _count_users(self) -> UserNumbers:
        now = time.monotonic()
        if self._users is None or now >= self._users_until:
            self._users = await self._features.get(StatsModule).stats.users()
            self._users_until = now + USERS_SECONDS
        return self._users
