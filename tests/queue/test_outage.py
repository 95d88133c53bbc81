"""Redis goes away under a worker and a scheduler: one line each way, no hurry, no loss."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
from redis.asyncio import Redis

from myapp.backoff import Backoff
from myapp.queue.client import JobQueue
from myapp.queue.connection import REDIS_FAULTS, RedisLink, connect_queue
from myapp.queue.liveness import Membership, Timings
from myapp.queue.records import JobStatus
from myapp.queue.scheduler import Scheduler
from myapp.queue.tasks import Cron, JobContext, Nothing, Task, build_registry
from myapp.queue.worker import Worker

Eventually = Callable[..., Awaitable[Any]]

IDLE = Task("person:idle", Nothing)
TICK = Cron("tick", IDLE, "* * * * * *", Nothing())
LONG = Task("person:long", Nothing)
DEADLINE = 2.5  # seconds


class Counting(Redis):
    """A client that counts what is asked of it."""

    calls = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # so in redis-py


class Outage:
    """A worker on a server of its own, whose jobs end when they are told."""

    def __init__(self, server: Any, timings: Timings) -> None:
        self.server = server
        connected = connect_queue(server.url)
        self.redis = Counting(connection_pool=connected.connection_pool)
        self.queue = JobQueue(self.redis)
        self.release = asyncio.Event()
        self.starts: list[int] = []
        self.ends: list[str] = []
        self.link = RedisLink()
        self.timings = timings
        self.registry = build_registry([(IDLE, self.idle), (LONG, self.long)], [TICK])
        self.worker = Worker(
            self.redis,
            self.registry,
            link=self.link,
            timings=timings,
            deadline=DEADLINE,
        )
        self.stop = asyncio.Event()
        self.running = asyncio.create_task(self.worker.run(self.stop))

    async def idle(self, _: JobContext, __: Nothing) -> None:
        """Done at once."""

    async def long(self, context: JobContext, _: Nothing) -> str:
        self.starts.append(context.attempt)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise
        self.ends.append("done")
        return "done"

    async def close(self) -> None:
        self.stop.set()
        async with asyncio.timeout(30):
            await self.running
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()


@pytest.fixture
async def outage(own_server: Any) -> Any:
    outage = Outage(own_server, Timings(beat=0.2, fence=30, lease=40, idle=0.2, goodbye=0.5))
    yield outage
    await outage.close()


@pytest.fixture
async def doubtful(own_server: Any) -> Any:
    outage = Outage(own_server, Timings(beat=0.2, fence=3, lease=9, idle=0.2, goodbye=0.5))
    yield outage
    await outage.close()


@pytest.fixture
async def measuring(own_server: Any) -> Any:
    """It looks at its queues all the time."""
    timings = Timings(beat=0.1, fence=30, lease=40, idle=0.2, goodbye=0.5, trim=0.05)
    outage = Outage(own_server, timings)
    yield outage
    await outage.close()


def lines_of(logs: Any) -> list[str]:
    return [line["event"] for line in logs if "redis" in line["event"]]


async def test_one_line_each_way_and_no_busy_loop(outage: Outage, eventually: Eventually) -> None:
    await eventually(lambda: outage.worker.healthy)
    scheduler = Scheduler(outage.redis, [TICK], link=outage.link)
    scheduling = asyncio.create_task(scheduler.run(outage.stop))
    await outage.queue.enqueue(LONG, Nothing())
    await eventually(lambda: outage.starts)
    with structlog.testing.capture_logs() as logs:
        outage.server.kill()
        await eventually(lambda: not outage.worker.healthy)
        assert "Connection" in (outage.worker.last_error or "")
        calls, spent = outage.redis.calls, time.process_time()
        await asyncio.sleep(3)
        assert outage.redis.calls - calls < 60
        assert time.process_time() - spent < 0.6
        outage.server.start()
        await eventually(lambda: outage.worker.healthy)
        await asyncio.sleep(0.5)
    assert lines_of(logs) == ["queue lost redis", "queue has redis again"]
    assert outage.worker.last_error is None
    outage.stop.set()
    await scheduling


@pytest.mark.parametrize(
    ("trouble", "end"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ],
)
async def test_a_redis_that_takes_no_writes_is_one_line_each_way_too(
    measuring: Outage, eventually: Eventually, trouble: str, end: str
) -> None:
    await eventually(lambda: measuring.worker.healthy)
    with structlog.testing.capture_logs() as logs:
        await measuring.redis.execute_command(*trouble.split())
        await eventually(lambda: not measuring.worker.healthy)
        calls = measuring.redis.calls
        await eventually(lambda: measuring.redis.calls > calls + 30)
        await measuring.redis.execute_command(*end.split())
        await eventually(lambda: measuring.worker.healthy)
    assert lines_of(logs) == ["queue lost redis", "queue has redis again"]


async def test_what_may_take_so_long_is_given_up_before_the_next_try_would_be_late() -> None:
    async def fail() -> None:
        raise ConnectionError

    link = RedisLink(Backoff(base=3600, cap=3600))
    async with asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            await link.persist(fail, within=30)


async def test_a_job_under_way_is_reported_after_a_short_outage(
    outage: Outage, eventually: Eventually
) -> None:
    key = await outage.queue.enqueue(LONG, Nothing())
    await eventually(lambda: outage.starts)
    outage.server.kill()
    outage.release.set()
    await asyncio.sleep(0.5)
    outage.server.start()

    async def done() -> bool:
        return (await outage.queue.get(key)).status is JobStatus.COMPLETE

    await eventually(done)
    assert outage.starts == [1]


async def test_jobs_queued_after_an_outage_run_without_a_restart(
    outage: Outage, eventually: Eventually
) -> None:
    await eventually(lambda: outage.worker.healthy)
    outage.server.kill()
    await asyncio.sleep(0.3)
    outage.server.start()
    key = await outage.queue.enqueue(IDLE, Nothing())

    async def done() -> bool:
        return (await outage.queue.get(key)).status is JobStatus.COMPLETE

    await eventually(done)


async def test_a_worker_out_of_touch_stops_its_jobs_before_others_may_run_them(
    doubtful: Outage, eventually: Eventually
) -> None:
    """A server that hangs looks like a cut line, beyond which others still reach it."""
    key = await doubtful.queue.enqueue(LONG, Nothing())
    await eventually(lambda: doubtful.starts)
    began = time.monotonic()
    doubtful.server.freeze()
    try:
        await eventually(lambda: doubtful.ends == ["cancelled"])
        assert time.monotonic() - began < doubtful.timings.lease
        assert not doubtful.worker.healthy
    finally:
        doubtful.server.thaw()
    doubtful.release.set()

    async def done() -> bool:
        return (await doubtful.queue.get(key)).status is JobStatus.COMPLETE

    await eventually(done)
    assert (doubtful.starts, doubtful.ends) == ([1, 1], ["cancelled", "done"])


async def test_after_an_outage_workers_do_not_take_each_other_for_dead(own_server: Any) -> None:
    redis = connect_queue(own_server.url)
    timings = Timings(beat=0.05, fence=0.2, lease=0.3)
    silent, observer = (
        Membership(
            redis,
            worker=name,
            queues=["default"],
            describe=dict,
            cancel=lambda _: None,
            doubt=lambda: None,
            link=RedisLink(),
            timings=timings,
        )
        for name in ("silent", "observer")
    )
    for step in (silent.step, observer.step, observer.step):
        await step()
    own_server.kill()
    await asyncio.sleep(0.4)
    with pytest.raises(REDIS_FAULTS):
        await observer.step()
    own_server.start()
    await observer.step()
    assert await redis.smembers("myapp:workers") == {"silent", "observer"}  # type: ignore[misc]  # sync or async
    await asyncio.sleep(0.4)
    await observer.step()
    assert await redis.smembers("myapp:workers") == {"observer"}  # type: ignore[misc]  # sync or async
    await redis.aclose()


async def test_a_worker_starts_and_stops_while_redis_is_away(own_server: Any) -> None:
    own_server.kill()
    redis = connect_queue(own_server.url)
    worker = Worker(redis, build_registry([]), timings=Timings(goodbye=0.3))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(0.3)
    assert not worker.healthy
    began = time.monotonic()
    stop.set()
    await running
    assert time.monotonic() - began < 15
    await redis.aclose()


async def test_a_worker_whose_redis_hangs_at_the_stop_has_drained_by_its_deadline(
    outage: Outage, eventually: Eventually
) -> None:
    """Also with a job that goes on for longer, which it can then only leave to others."""
    await outage.queue.enqueue(LONG, Nothing())
    await eventually(lambda: outage.starts)
    outage.server.freeze()
    try:
        outage.stop.set()
        async with asyncio.timeout(DEADLINE + 2):  # a busy machine is slow
            await asyncio.shield(outage.running)
    finally:
        outage.server.thaw()
    assert outage.ends == ["cancelled"]
