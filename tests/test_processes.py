"""What processes say of themselves."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from myapp import __version__
from myapp.enums import Role
from myapp.middleware.metrics import HttpMetrics
from myapp.processes import EXPIRY_SECONDS, IDS, RECORD, Presence, read_processes
from myapp.queue.metrics import JobMetrics
from myapp.sse.metrics import StreamMetrics
from tests.support.processes import wait_for_processes
from tests.support.valkey import Valkey


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def metrics() -> CollectorRegistry:
    return CollectorRegistry()


class TestPresence:
    async def test_is_seen_from_entry_to_exit(
        self, redis: Redis, metrics: CollectorRegistry
    ) -> None:
        async with Presence(redis, metrics, roles=list(Role)) as first:
            await wait_for_processes(redis, 1)
            async with Presence(redis, metrics, roles=[Role.WORKER]) as second:
                found = await wait_for_processes(redis, 2)
                assert [process.id for process in found] == [first.id, second.id]
                assert [process.role for process in found] == ["all", "worker"]
                assert (found[1].pid, found[1].version) == (os.getpid(), __version__)
                assert found[1].memory_mb > 1
                assert 0 < found[1].cpu_seconds < time.process_time() + 0.1
            assert [process.id for process in await read_processes(redis)] == [first.id]
        assert await read_processes(redis) == []
        assert await redis.keys() == []

    async def test_counts_only_what_its_roles_do(
        self, redis: Redis, metrics: CollectorRegistry
    ) -> None:
        http, jobs, streams = HttpMetrics(metrics), JobMetrics(metrics), StreamMetrics(metrics)
        api, worker = (
            Presence(redis, metrics, roles=[role]).describe for role in (Role.API, Role.WORKER)
        )
        assert (api().requests, api().errors) == (0, 0)
        for status in (200, 404, 500, 503):
            http.observe("GET", "/health", status, 0.1)
        for outcome in ("complete", "complete", "retried", "failed"):
            jobs.count_attempt("sync:data", outcome, seconds=0.1)
        http.observe("PUT", "/auth/me", 200, 0.3)
        streams.open.inc()
        within = api().requests_within
        assert within
        assert [within[bound] for bound in ("0.075", "0.1", "0.25", "0.5", "+Inf")] == [
            0,
            4,
            4,
            5,
            5,
        ]
        assert (api().requests, api().errors, api().streams) == (5, 2, 1)
        assert (api().jobs_done, api().jobs_failed) == (None, None)
        assert (worker().jobs_done, worker().jobs_failed, worker().requests) == (2, 1, None)

    async def test_says_it_again(self, redis: Redis, metrics: CollectorRegistry) -> None:
        async with Presence(redis, metrics, roles=[Role.API], beat=0.02):
            [before] = await wait_for_processes(redis, 1)
            await redis.flushall()
            [after] = await wait_for_processes(redis, 1)
        assert after.measured_at > before.measured_at

    async def test_one_of_another_release_hides_nobody_else(
        self, redis: Redis, metrics: CollectorRegistry
    ) -> None:
        async with Presence(redis, metrics, roles=[Role.API]) as present:
            await wait_for_processes(redis, 1)
            await redis.sadd(IDS, "older")  # type: ignore[misc]  # sync or async, says redis-py
            await redis.set(RECORD % "older", '{"id": "older", "role": "api"}')
            assert [process.id for process in await read_processes(redis)] == [present.id]

    async def test_one_that_died_is_gone_after_its_lifetime(
        self, redis: Redis, metrics: CollectorRegistry
    ) -> None:
        async with Presence(redis, metrics, roles=[Role.API], beat=3600) as present:
            await wait_for_processes(redis, 1)
            name = RECORD % present.id
            assert 0 < await redis.ttl(name) <= EXPIRY_SECONDS
            await redis.delete(name)  # as the lifetime does
            assert await read_processes(redis) == []
            assert await redis.keys() == []


class TestWithoutRedis:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_it_waits_and_comes_back(
        self, redis: Redis, metrics: CollectorRegistry, own_valkey: Valkey
    ) -> None:
        own_valkey.kill()
        async with Presence(redis, metrics, roles=[Role.API], beat=0.02):
            await asyncio.sleep(0.1)
            own_valkey.start()
            await wait_for_processes(redis, 1)
            own_valkey.kill()
