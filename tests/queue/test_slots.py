"""How the slots of a queue come to their jobs."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from myapp.queue.client import JobQueue
from myapp.queue.connection import RedisLink
from myapp.queue.execution import Executor
from myapp.queue.liveness import Membership, Timings
from myapp.queue.metrics import JobMetrics
from myapp.queue.records import JobStatus
from myapp.queue.store import JobStore, StoredJob
from myapp.queue.tasks import JobContext, Nothing, Task, build_registry
from myapp.queue.worker import QueueWorker
from myapp.until import until

Eventually = Callable[..., Awaitable[Any]]
IDLE = Task("person:idle", Nothing)


class Hurt(JobStore):
    """A queue whose first claim with an answer meets with something on its way."""

    def __init__(self, redis: Redis, happens: Callable[[], None]) -> None:
        super().__init__(redis, "default")
        self._events = [happens]

    async def claim(
        self, worker: str, *, known: int, limit: int = 1
    ) -> tuple[str, list[StoredJob]]:
        word, jobs = await super().claim(worker, known=known, limit=limit)
        if jobs and self._events:
            self._events.pop()()
        return word, jobs


class Slots:
    """The slots of one queue under way, two at once, with the jobs that they began."""

    def __init__(self, redis: Redis) -> None:
        self.started: list[str] = []
        self.stop = asyncio.Event()
        timings = Timings(beat=0.1, fence=5, lease=9, idle=0.1)
        link = RedisLink()
        registry = build_registry([(IDLE, self._handle)])
        metrics = JobMetrics(CollectorRegistry())
        executor = Executor(registry, worker="w", link=link, patience=1, metrics=metrics)
        self.membership = Membership(
            redis,
            worker="w",
            queues=["default"],
            describe=dict,
            cancel=executor.cancel,
            doubt=executor.doubt,
            link=link,
            timings=timings,
        )
        self._build = partial(
            QueueWorker,
            executor=executor,
            membership=self.membership,
            worker="w",
            concurrency=2,
            stop=self.stop,
            grace=1,
            link=link,
            timings=timings,
        )

    async def run(self, store: JobStore) -> None:
        """Until the stop. Does not sign off, which would put back every job that is held."""
        await asyncio.gather(until(self.stop, self.membership.keep()), self._build(store).start())

    async def _handle(self, context: JobContext, _: Nothing) -> None:
        self.started.append(context.key)


@pytest.fixture
def slots(redis: Redis) -> Slots:
    return Slots(redis)


async def test_a_claim_that_is_answered_after_a_doubt_is_put_back_and_not_run(
    redis: Redis, queue: JobQueue, slots: Slots, eventually: Eventually
) -> None:
    """While the answer was under way, the worker may have been rescued."""

    def doubt() -> None:
        slots.membership.era += 1

    key = await queue.enqueue(IDLE, Nothing())
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(slots.run(Hurt(redis, doubt)))
        await eventually(lambda: slots.started)
        slots.stop.set()
        await running
    assert slots.started == [key]
    assert [line["jobs"] for line in logs if "claimed and not begun" in line["event"]] == [1]
    assert (await queue.get(key)).attempts == 1


async def test_jobs_whose_claim_is_answered_at_the_stop_are_put_back_at_once(
    redis: Redis, queue: JobQueue, slots: Slots
) -> None:
    keys = [await queue.enqueue(IDLE, Nothing()) for _ in range(2)]
    await slots.run(Hurt(redis, slots.stop.set))
    assert slots.started == []
    jobs = [await queue.get(key) for key in keys]
    assert [(job.status, job.attempts) for job in jobs] == [(JobStatus.QUEUED, 0)] * 2
