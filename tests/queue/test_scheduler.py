"""Crons: once a tick, whoever runs, whatever was missed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from myapp.errors import NotFound
from myapp.queue.client import JobQueue
from myapp.queue.crons import CronBoard
from myapp.queue.records import JobStatus
from myapp.queue.scheduler import ANNOUNCE_SECONDS, Scheduler
from myapp.queue.tasks import Cron, JobContext, Payload, Task, build_registry

Eventually = Callable[..., Awaitable[Any]]

HOUR = 3600
DAY = 24 * HOUR
NOON = 4_000_000_000 // HOUR * HOUR  # later than by the clock of Redis


class Clean(Payload):
    what: str


CLEAN = Task("cleanup:expired", Clean, queue="low")
HOURLY = Cron("hourly", CLEAN, "0 * * * *", Clean(what="keys"))
DAILY = Cron("daily", CLEAN, "0 0 * * *", Clean(what="all"))


class Clock:
    """Shows what the test wants, and knows how often it was looked at."""

    def __init__(self) -> None:
        self.now = NOON + 0.5
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now

    async def settle(self) -> None:
        """Returns when the schedulers have looked some times since, however slow they are."""
        enough = self.looks + 20
        async with asyncio.timeout(10):
            while self.looks < enough:  # noqa: ASYNC110  # a scheduler has no event for a look
                await asyncio.sleep(0.005)


@pytest.fixture
def clock() -> Clock:
    return Clock()


Start = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
def start(redis: Redis, clock: Clock) -> Start:
    """`async with start(cron):` runs a scheduler for as long, on the test's clock."""

    @asynccontextmanager
    async def run(
        *crons: Cron[Any],
        own_clock: Clock | None = None,
        announce_seconds: float = ANNOUNCE_SECONDS,
    ) -> AsyncIterator[None]:
        stop = asyncio.Event()
        its_clock = own_clock or clock
        scheduler = Scheduler(
            redis,
            crons or [HOURLY],
            clock=its_clock,
            poll=0.005,
            announce_seconds=announce_seconds,
        )
        running = asyncio.create_task(scheduler.run(stop))
        await its_clock.settle()
        try:
            yield
            await its_clock.settle()
        finally:
            stop.set()
            await running

    return run


async def fired(redis: Redis) -> list[str]:
    keys: list[str] = await redis.lrange("myapp:queue:low:waiting", 0, -1)  # type: ignore[misc]  # sync or async
    return keys


async def next_of(name: str, redis: Redis) -> int:
    return int(await redis.hget(f"myapp:cron:{name}", "next") or 0)  # type: ignore[misc]  # sync or async


async def test_a_tick_queues_the_task_with_its_payload(
    redis: Redis, queue: JobQueue, clock: Clock, start: Start
) -> None:
    async with start():
        clock.now = NOON + HOUR
    (key,) = await fired(redis)
    assert key == f"cron:hourly:{NOON + HOUR}"
    job = await queue.get(key)
    assert (job.task, job.payload, job.max_attempts) == ("cleanup:expired", {"what": "keys"}, 5)


async def test_a_new_cron_does_not_fire_for_the_time_before_it(redis: Redis, start: Start) -> None:
    async with start():
        pass
    assert await fired(redis) == []


async def test_sixty_ticks_over_three_schedulers_fire_once_each(
    redis: Redis, clock: Clock, start: Start
) -> None:
    async with start(), start(), start():
        for number in range(1, 61):
            clock.now = NOON + number * HOUR + 0.1
            await clock.settle()
    assert await fired(redis) == [f"cron:hourly:{NOON + n * HOUR}" for n in range(1, 61)]


async def test_ticks_missed_by_all_schedulers_fire_once_on_return(
    redis: Redis, clock: Clock, start: Start
) -> None:
    async with start():
        pass
    clock.now = NOON + 5 * HOUR + 1800
    async with start():
        pass
    assert await fired(redis) == [f"cron:hourly:{NOON + HOUR}"]
    async with start():
        clock.now = NOON + 6 * HOUR
    assert len(await fired(redis)) == 2


async def test_a_clock_that_goes_back_fires_nothing_again(
    redis: Redis, clock: Clock, start: Start
) -> None:
    async with start():
        for moment in (NOON + HOUR, NOON + HOUR - 10, NOON + HOUR, NOON + HOUR + 1):
            clock.now = moment
            await clock.settle()
    assert len(await fired(redis)) == 1


async def test_a_clock_that_lags_does_not_fire_a_second_time(redis: Redis, start: Start) -> None:
    ahead, behind = Clock(), Clock()
    behind.now = NOON - 5
    async with start(own_clock=ahead), start(own_clock=behind):
        ahead.now = NOON + HOUR
        await ahead.settle()
        behind.now = NOON + HOUR
    assert len(await fired(redis)) == 1


async def test_a_clock_far_behind_fires_no_tick_again(
    queue: JobQueue, clock: Clock, start: Start, work: Any, eventually: Eventually
) -> None:
    """Not even one whose job has ended, so that its key is free."""
    runs: list[str] = []

    async def clean(context: JobContext, _: Clean) -> None:
        runs.append(context.key)

    async def has_run() -> bool:
        return bool(runs) and (await queue.get(runs[0])).status is JobStatus.COMPLETE

    behind = Clock()
    async with work(build_registry([(CLEAN, clean)])), start():
        clock.now = NOON + HOUR
        await eventually(has_run)
        async with start(own_clock=behind):
            await clock.settle()
        clock.now = NOON + 2 * HOUR
        await eventually(lambda: len(runs) > 1)
    assert runs == [f"cron:hourly:{NOON + HOUR}", f"cron:hourly:{NOON + 2 * HOUR}"]


async def test_a_tick_that_only_a_wrong_clock_could_choose_is_brought_back(
    redis: Redis, clock: Clock, start: Start
) -> None:
    wrong = Clock()
    async with start():
        pass
    wrong.now = NOON + 30 * DAY
    async with start(own_clock=wrong):
        pass
    assert await next_of("hourly", redis) > NOON + 30 * DAY
    async with start():
        clock.now = NOON + HOUR + 1
        await clock.settle()
        assert await next_of("hourly", redis) == NOON + 2 * HOUR
        clock.now = NOON + 2 * HOUR
    assert await fired(redis) == [f"cron:hourly:{NOON + n * HOUR}" for n in (1, 2)]


async def test_two_crons_on_one_task_both_fire(redis: Redis, clock: Clock, start: Start) -> None:
    async with start(HOURLY, DAILY):
        clock.now = (NOON // 86400 + 1) * 86400
    assert {key.split(":")[1] for key in await fired(redis)} == {"hourly", "daily"}


async def test_a_new_schedule_starts_afresh(redis: Redis, clock: Clock, start: Start) -> None:
    async with start():
        pass
    clock.now = NOON + 2 * HOUR
    async with start(Cron("hourly", CLEAN, "30 * * * *", Clean(what="keys"))):
        assert await fired(redis) == []
        clock.now = NOON + 2.5 * HOUR
    assert await fired(redis) == [f"cron:hourly:{NOON + 5 * HOUR // 2}"]


async def test_a_scheduler_of_an_earlier_release_goes_by_the_new_schedule(
    redis: Redis, clock: Clock, start: Start
) -> None:
    theirs = Clock()
    earlier = Cron("hourly", CLEAN, "0 0 * * *", Clean(what="keys"))
    async with start(earlier, own_clock=theirs), start():
        theirs.now = NOON + HOUR
        await theirs.settle()
        assert await next_of("hourly", redis) == NOON + 2 * HOUR
    assert await fired(redis) == [f"cron:hourly:{NOON + HOUR}"]


async def test_the_schedule_of_the_release_that_remains_stands_whichever_started_last(
    redis: Redis, clock: Clock, start: Start, eventually: Eventually
) -> None:
    earlier = Cron("hourly", CLEAN, "0 0 * * *", Clean(what="keys"))

    async def is_next() -> bool:
        return await next_of("hourly", redis) == NOON + HOUR

    async with start(announce_seconds=0.2):
        async with start(earlier):
            await clock.settle()
        await eventually(is_next)


async def test_seconds_may_be_scheduled(redis: Redis, start: Start) -> None:
    clock = Clock()
    async with start(Cron("often", CLEAN, "* * * * * */20", Clean(what="x")), own_clock=clock):
        clock.now = NOON + 20
        await clock.settle()
        clock.now = NOON + 40
    assert len(await fired(redis)) == 2


async def test_lost_data_starts_the_crons_afresh(redis: Redis, clock: Clock, start: Start) -> None:
    async with start():
        await redis.flushall()
        await clock.settle()
        clock.now = NOON + HOUR
    assert len(await fired(redis)) == 1


class TestBoard:
    async def test_it_shows_the_next_and_the_last_run(
        self, redis: Redis, queue: JobQueue, clock: Clock, start: Start, work: Any, eventually: Any
    ) -> None:
        async def clean(_: JobContext, __: Clean) -> None:
            """Nothing to clean."""

        board = CronBoard(redis, [HOURLY])
        (unknown,) = await board.states()
        assert (unknown.next_run_at, unknown.last_run_at, unknown.last_status) == (None, None, None)
        async with start():
            clock.now = NOON + HOUR
        (cron,) = await board.states()
        assert (cron.name, cron.task, cron.schedule) == ("hourly", "cleanup:expired", "0 * * * *")
        assert cron.next_run_at
        assert cron.next_run_at.timestamp() == NOON + 2 * HOUR
        assert cron.last_run_at
        assert cron.last_status == JobStatus.QUEUED

        async def last_status() -> bool:
            (cron,) = await board.states()
            return cron.last_status == JobStatus.COMPLETE

        async with work(build_registry([(CLEAN, clean)])):
            await eventually(last_status)

    async def test_a_paused_cron_lets_its_ticks_pass_for_good(
        self, redis: Redis, clock: Clock, start: Start
    ) -> None:
        board = CronBoard(redis, [HOURLY])
        async with start():
            await board.pause("hourly")
            clock.now = NOON + HOUR
            await clock.settle()
            assert (await board.states())[0].paused
            await board.resume("hourly")
            await clock.settle()
            assert await fired(redis) == []
            clock.now = NOON + 2 * HOUR
        assert len(await fired(redis)) == 1

    async def test_an_unknown_cron_is_not_found(self, redis: Redis) -> None:
        for act in (CronBoard(redis, []).pause, CronBoard(redis, []).resume):
            with pytest.raises(NotFound):
                await act("nope")
