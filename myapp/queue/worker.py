"""The worker: SAQ's, one for each queue, held together as one process."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from signal import Signals
from typing import ClassVar

import structlog
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from saq.types import Context
from saq.worker import Worker as SaqWorker
from uuid_utils import uuid7

from myapp import __version__
from myapp.processes import measure_memory
from myapp.queue.connection import RedisLink
from myapp.queue.execution import Executor
from myapp.queue.liveness import Membership, Timings
from myapp.queue.metrics import JobMetrics
from myapp.queue.store import JobStore, StoredJob
from myapp.queue.tasks import Registry
from myapp.until import finish, until

log = structlog.get_logger()

DEADLINE = 26.0


class QueueWorker(SaqWorker[Context]):
    """SAQ's worker of one queue: its slots, its start and its stop with grace.

    How a slot comes to a job and what is done with it are ours. The slots take turns in waiting,
    so that a queue costs one blocked connection and not one a slot; who has the turn claims for
    all that wait for it.
    """

    SIGNALS: ClassVar[list[Signals]] = []  # type: ignore[misc]  # the runner owns them

    def __init__(
        self,
        store: JobStore,
        executor: Executor,
        membership: Membership,
        *,
        worker: str,
        concurrency: int,
        stop: asyncio.Event,
        grace: float,
        link: RedisLink,
        timings: Timings,
    ) -> None:
        super().__init__(store, (), id=worker, concurrency=concurrency)
        self._shutdown_grace_period_s = grace  # type: ignore[assignment]  # SAQ types it int
        self._store = store
        self._executor = executor
        self._membership = membership
        self._stop = stop
        self._link = link
        self._timings = timings
        self._turn = asyncio.Lock()
        self._free = 0  # slots that wait for a job
        self._claimed: deque[StoredJob] = deque()
        self._era = 0  # when these were claimed

    async def upkeep(self) -> list[asyncio.Task[None]]:
        """SAQ's hook: none of its own upkeep is wanted, its sweep least of all."""
        return [asyncio.create_task(self._stop_in_time()), asyncio.create_task(self._trim())]

    async def process(self) -> bool:
        """SAQ's hook: one job, if the stop does not come first. SAQ calls it again until then."""
        try:
            if job := await self._next():
                await self._executor.run(job, self._store)
        except Exception:  # SAQ would drop it and call again at once
            log.exception("queue slot failed", queue=self._store.name)
            await asyncio.sleep(self._timings.idle)
        return True

    async def stop(self) -> None:
        """SAQ calls it at the end of its start, also when that was cancelled."""
        self._stop.set()
        await super().stop()

    async def _stop_in_time(self) -> None:
        await self._stop.wait()
        self.event.set()
        async with self._turn:
            self._claimed.clear()
        with suppress(TimeoutError):  # then they are put back when the worker leaves
            await self._link.persist(self._reconcile, within=self._timings.goodbye)

    async def _trim(self) -> None:
        while not self._stop.is_set():
            await until(self._stop, self._link.persist(self._store.trim))
            await until(self._stop, asyncio.sleep(self._timings.trim))

    async def _next(self) -> StoredJob | None:
        self._free += 1
        try:
            async with self._turn:
                while not self._stop.is_set():
                    if self._era != self._membership.era:
                        self._claimed.clear()  # they may be others' by now; if not, they are adrift
                    if self._claimed:
                        return self._claimed.popleft()
                    await until(self._stop, self._claim())
        finally:
            self._free -= 1
        return None

    async def _claim(self) -> None:
        while not self._claimed:
            word = await self._link.persist(self._try_claim)
            if word == "empty":
                await self._link.persist(partial(self._store.wait, self._timings.idle))
            elif word == "adrift":
                await self._link.persist(self._reconcile)
            elif word in ("paused", "stranger"):
                await asyncio.sleep(self._timings.idle)

    async def _try_claim(self) -> str:
        await self._membership.joined.wait()
        self._era = self._membership.era
        known = len(self._executor.keys(self._store.name))
        word, jobs = await self._store.claim(self.id, known=known, limit=self._free)
        self._claimed.extend(jobs)
        return word

    async def _reconcile(self) -> None:
        count = await self._store.reconcile(self.id, self._executor.keys(self._store.name))
        if count:
            log.warning("put back jobs that were claimed and not begun", jobs=count)


class Worker:
    """A worker process: serves its queues until it is told to stop, then drains.

    `concurrency` is for each queue. Within `deadline` seconds of the stop it has drained, also
    where Redis goes away meanwhile: jobs under way get what that leaves them. What has not ended
    then is put back to the front of its queue, and the attempt does not count.
    """

    def __init__(
        self,
        redis: Redis,
        registry: Registry,
        *,
        queues: Sequence[str] = ("default", "low"),
        concurrency: int = 10,
        link: RedisLink | None = None,
        deadline: float = DEADLINE,
        timings: Timings | None = None,
        metrics: JobMetrics | None = None,
    ) -> None:
        self.id = str(uuid7())
        self._redis = redis
        self._registry = registry
        self._queues = tuple(dict.fromkeys(queues))
        self._concurrency = concurrency
        self._link = link or RedisLink()
        self._timings = timings or Timings()
        self._grace = deadline - self._timings.farewell
        self._started_at = datetime.now(UTC)
        self._metrics = metrics or JobMetrics(CollectorRegistry())
        self._executor = Executor(
            registry,
            worker=self.id,
            link=self._link,
            patience=self._timings.goodbye,
            metrics=self._metrics,
        )
        self._membership = Membership(
            redis,
            worker=self.id,
            queues=self._queues,
            describe=self.describe,
            cancel=self._executor.cancel,
            doubt=self._executor.doubt,
            link=self._link,
            timings=self._timings,
        )

    @property
    def healthy(self) -> bool:
        """Whether it can take jobs: Redis answers and it is a member."""
        return self._link.up and self._membership.joined.is_set()

    @property
    def last_error(self) -> str | None:
        """Why Redis cannot be asked, while that is so."""
        return self._link.last_error

    def describe(self) -> Mapping[str, object]:
        """What operators see of this worker."""
        return {
            "id": self.id,
            "role": "worker",
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "queues": self._queues,
            "concurrency": self._concurrency,
            "active": len(self._executor.running),
            "started_at": self._started_at.isoformat(),
            "memory_mb": measure_memory(),
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`; returns when drained."""
        self._log_start()
        draining, drained = asyncio.Event(), asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(until(drained, self._membership.keep()))
                group.create_task(until(drained, hand_on(stop, draining)))
                group.create_task(until(drained, self._measure_queues()))
                # Not `gather`: cancelled, it is over with the first queue that has drained.
                async with asyncio.TaskGroup() as serving:
                    for queue in self._queues:
                        serving.create_task(self._serve(queue, draining))
                drained.set()
        finally:
            # It puts jobs back. In early Python 3.11 a cancellation may come twice, and the second
            # one would end it. It takes `goodbye` at most.
            await finish(asyncio.create_task(self._membership.leave()))

    async def _measure_queues(self) -> None:
        while True:
            await self._link.persist(
                partial(self._metrics.measure_queues, self._redis, self._queues)
            )
            await asyncio.sleep(self._timings.trim)

    async def _serve(self, queue: str, stop: asyncio.Event) -> None:
        await QueueWorker(
            JobStore(self._redis, queue),
            self._executor,
            self._membership,
            worker=self.id,
            concurrency=self._concurrency,
            stop=stop,
            grace=self._grace,
            link=self._link,
            timings=self._timings,
        ).start()

    def _log_start(self) -> None:
        log.info("worker starts", worker=self.id, queues=self._queues, slots=self._concurrency)
        known = {task.queue for task in self._registry.tasks}
        if idle := [queue for queue in self._queues if queue not in known]:
            log.warning("no task has these queues", queues=idle)
        for task in self._registry.tasks:
            log.info(
                "task",
                name=task.name,
                queue=task.queue,
                timeout=task.timeout,
                attempts=task.attempts,
                served=task.queue in self._queues,
            )


async def hand_on(stop: asyncio.Event, draining: asyncio.Event) -> None:
    """Apart, since a worker that is cancelled drains too, and the stop is not its to set."""
    await stop.wait()
    draining.set()
