"""What the soak takes for a system that levels off."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import pytest
from redis.asyncio import Redis

from benchmarks.drill.fleet import OURS, Fleet
from benchmarks.soak.samples import ALLOWED, Samples, Series
from myapp.database.outbox import OutboxKind, OutboxRow
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.resources import Resources

LOOKS = 12
PAYLOAD = 20_000  # the jobs of the second half are more than Redis may grow by
KEYS, MEMORY, JOBS, ROWS = (
    "keys in Redis, beside what is kept for a day",
    "memory of Redis, beside that, MiB",
    "jobs that have not ended",
    "rows, beside what was made to stay",
)


@dataclass
class Running:
    """A part of the fleet, as far as it is sampled: this process stands for it."""

    pid: int


class FakeFleet:
    """The part of Fleet that is sampled."""

    def __init__(self) -> None:
        self.parts = {name: Running(os.getpid()) for name in OURS}


@pytest.fixture
async def redis(resources: Resources, redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        yield redis


@pytest.fixture
def samples(redis: Redis) -> Samples:
    return Samples(cast("Fleet", FakeFleet()), redis)


def series(kind: str, *values: float) -> Series:
    return Series("any", kind, [float(at) for at in range(len(values))], list(values))


class TestSeries:
    @pytest.mark.parametrize("kind", ALLOWED)
    def test_what_grows_in_the_second_half_is_not_level(self, kind: str) -> None:
        assert series(kind, *[1000.0] * LOOKS).is_level
        assert not series(kind, *(1000.0 * at for at in range(LOOKS))).is_level
        assert series(kind, 0, 400, 800, *[1000.0] * (LOOKS - 3)).is_level

    def test_rows_that_are_missing_are_not_level_though_memory_may_fall(self) -> None:
        falling = [-1000.0 * at for at in range(LOOKS)]
        assert not series("rows", *falling).is_level
        assert series("memory", *falling).is_level


class TestSamples:
    @staticmethod
    async def store(redis: Redis, status: JobStatus, first: int, many: int = 50) -> None:
        for number in range(first, first + many):
            fields = {"status": status.value, "payload": "x" * PAYLOAD}
            await redis.hset(Key.JOB % number, mapping=fields)  # type: ignore[misc]  # as redis-py has it
            await redis.zadd(Key.BY_STATUS % ("default", status), {str(number): number})
            await redis.set(Key.ONCE % number, "", ex=3600)

    async def test_jobs_that_ended_are_kept_for_a_day_and_level_all_the_same(
        self, samples: Samples, redis: Redis
    ) -> None:
        for at in range(LOOKS):
            await self.store(redis, JobStatus.COMPLETE, at * 50)
            await samples.take(at, rows_made=0)
        judged = {name: samples.series[name].is_level for name in (KEYS, MEMORY, JOBS, ROWS)}
        assert all(judged.values()), judged
        assert samples.promised == {Key.JOB % "": LOOKS * 50, Key.ONCE % "": LOOKS * 50}

    @pytest.mark.parametrize("status", [each for each in JobStatus if not each.ended])
    async def test_jobs_that_nobody_does_are_not_level(
        self, samples: Samples, redis: Redis, status: JobStatus
    ) -> None:
        for at in range(LOOKS):
            await self.store(redis, status, at * 50)
            await samples.take(at, rows_made=0)
        assert samples.series[JOBS].values == [50.0 * at for at in range(1, LOOKS + 1)]
        assert not samples.series[JOBS].is_level
        assert not samples.series[KEYS].is_level

    async def test_what_one_key_gathers_is_seen_by_its_memory(
        self, samples: Samples, redis: Redis
    ) -> None:
        for at in range(LOOKS):
            await redis.append("somewhere", "x" * 2**20)
            await samples.take(at, rows_made=0)
        assert samples.series[KEYS].is_level
        assert not samples.series[MEMORY].is_level

    async def test_rows_that_were_promised_and_never_made_are_not_level(
        self, samples: Samples
    ) -> None:
        for at in range(LOOKS):
            await samples.take(at, rows_made=at * 50)
        assert not samples.series[ROWS].is_level

    async def test_what_is_never_done_is_counted_at_the_end(
        self, samples: Samples, redis: Redis
    ) -> None:
        await self.store(redis, JobStatus.COMPLETE, 0, 3)
        await samples.finish(within=0.0)
        assert samples.unfinished == 0
        await self.store(redis, JobStatus.QUEUED, 3, 2)
        await OutboxRow.create(kind=OutboxKind.JOB, name="never:done", payload="{}")
        await samples.finish(within=0.0)
        assert samples.unfinished == 3
