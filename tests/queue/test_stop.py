"""Stopping a worker: grace, putting back, and no waiting for what is not there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from myapp.queue.client import JobQueue
from myapp.queue.liveness import Timings
from myapp.queue.records import JobStatus
from myapp.queue.tasks import JobContext, Nothing, Task, build_registry
from myapp.queue.worker import Worker

Eventually = Callable[..., Awaitable[Any]]

IDLE = Task("person:idle", Nothing, attempts=1)
# Its lease is long: who stood still for a moment, as on a busy machine, would lose its jobs.
QUICK = Timings(beat=0.1, fence=20, lease=30, idle=0.1, goodbye=2)


class Bench:
    """A worker under way with one job that takes `seconds`, or ends with the `release`."""

    def __init__(self, redis: Redis, queue: JobQueue, eventually: Eventually) -> None:
        self._redis = redis
        self._queue = queue
        self._eventually = eventually
        self.stop = asyncio.Event()
        self.release = asyncio.Event()
        self.outcome: list[str] = []

    async def start(self, seconds: float, *, grace: float, stubborn: bool = False) -> str:
        async def handler(_: JobContext, __: Nothing) -> str:
            self.outcome.append("started")
            while True:
                try:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(seconds):
                            await self.release.wait()
                except asyncio.CancelledError:
                    self.outcome.append("cancelled")
                    if not stubborn:
                        raise
                else:
                    return "done"

        worker = Worker(
            self._redis,
            build_registry([(IDLE, handler)]),
            deadline=grace + QUICK.farewell,
            timings=QUICK,
        )
        self.running = asyncio.create_task(worker.run(self.stop))
        key = await self._queue.enqueue(IDLE, Nothing())
        await self._eventually(lambda: self.outcome)
        return key

    async def end(self) -> float:
        """Stops the worker; returns how long that took."""
        began = time.monotonic()
        self.stop.set()
        async with asyncio.timeout(30):
            await self.running
        return time.monotonic() - began


@pytest.fixture
def bench(redis: Redis, queue: JobQueue, eventually: Eventually) -> Bench:
    return Bench(redis, queue, eventually)


async def test_a_job_that_ends_within_grace_is_complete(bench: Bench, queue: JobQueue) -> None:
    key = await bench.start(0.5, grace=20)
    assert await bench.end() < 15
    assert (await queue.get(key)).result == "done"


async def test_a_job_beyond_grace_is_put_back_and_its_attempt_does_not_count(
    bench: Bench, queue: JobQueue
) -> None:
    key = await bench.start(60, grace=0.2)
    assert await bench.end() < 20
    job = await queue.get(key)
    assert (job.status, job.attempts, job.errors, job.worker) == (JobStatus.QUEUED, 0, (), None)
    assert bench.outcome == ["started", "cancelled"]


async def test_a_job_that_does_not_heed_its_cancellation_is_put_back(
    bench: Bench, queue: JobQueue
) -> None:
    key = await bench.start(60, grace=0.1, stubborn=True)
    await bench.end()
    assert (await queue.get(key)).status is JobStatus.QUEUED
    bench.release.set()
    await asyncio.sleep(0.3)  # its result comes, and is not heard
    assert (await queue.get(key)).status is JobStatus.QUEUED


async def test_nothing_new_is_taken_after_the_stop(bench: Bench, queue: JobQueue) -> None:
    await bench.start(0.5, grace=5)
    bench.stop.set()
    await asyncio.sleep(0.2)  # until it is heard
    key = await queue.enqueue(IDLE, Nothing())
    await bench.end()
    assert (await queue.get(key)).status is JobStatus.QUEUED
    assert bench.outcome == ["started"]


async def test_an_idle_worker_stops_at_once_and_signs_off(bench: Bench, redis: Redis) -> None:
    await bench.start(0, grace=20)
    assert await bench.end() < 15
    assert await redis.keys("myapp:worker*") == []


async def test_a_worker_that_is_cancelled_drains_as_well(bench: Bench, queue: JobQueue) -> None:
    key = await bench.start(60, grace=0.2)
    bench.running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bench.running
    assert asyncio.all_tasks() == {asyncio.current_task()}  # none of its queues drains any more
    assert (await queue.get(key)).status is JobStatus.QUEUED


async def test_an_idle_worker_that_is_cancelled_ends_at_once(bench: Bench) -> None:
    await bench.start(0, grace=20)
    began = time.monotonic()
    bench.running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bench.running
    assert time.monotonic() - began < 15


async def test_a_stop_before_the_start_ends_at_once(redis: Redis) -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(15):
        await Worker(redis, build_registry([]), timings=QUICK).run(stop)
