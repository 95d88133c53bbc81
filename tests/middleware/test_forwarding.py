"""Who sends X-Forwarded-* without being believed, and where one reads of it."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from myapp.middleware.forwarding import ForwardingNote, ForwardingWitness, read_note
from tests.support.valkey import Valkey

SECONDS = 20.0
FORWARDED = [(b"host", b"a"), (b"x-forwarded-for", b"203.0.113.9")]
PLAIN = [(b"host", b"a"), (b"accept", b"*/*")]


@pytest.fixture
async def redis(shared_valkey: Valkey) -> AsyncIterator[Redis]:
    async with Redis.from_url(shared_valkey.url) as client:
        await client.flushall()
        yield client


class Site:
    """An application behind the witness, and what it has been asked."""

    def __init__(self, redis: Redis, *, trusted: str = "10.0.0.0/8", **options: float) -> None:
        self.metrics = CollectorRegistry()
        self.asked = 0
        self.witness = ForwardingWitness(
            self._app,
            trusted=[ip_network(trusted)],
            redis=redis,
            metrics=self.metrics,
            **options,
        )

    async def _app(self, *_: object) -> None:
        self.asked += 1

    async def ask(self, peer: str, headers: list[tuple[bytes, bytes]]) -> None:
        scope: Any = {"type": "http", "headers": headers, "client": (peer, 1234)}
        nothing: Any = None
        await self.witness(scope, nothing, nothing)

    @property
    def counted(self) -> float | None:
        return self.metrics.get_sample_value("http_forwarded_untrusted_total")


async def wait_for_note(redis: Redis, *, requests: int = 1) -> ForwardingNote:
    async with asyncio.timeout(SECONDS):
        while (note := await read_note(redis)) is None or note.requests < requests:  # noqa: ASYNC110  # Redis sets no event
            await asyncio.sleep(0.01)
    return note


async def test_a_stranger_is_counted_and_noted(redis: Redis) -> None:
    site = Site(redis)
    await site.ask("192.0.2.1", FORWARDED)
    note = await wait_for_note(redis)
    assert (note.peer, note.requests) == ("192.0.2.1", 1)
    assert (site.counted, site.asked) == (1, 1)


async def test_who_is_trusted_or_forwards_nothing_is_not(redis: Redis) -> None:
    site = Site(redis)
    await site.ask("10.1.2.3", FORWARDED)
    await site.ask("192.0.2.1", PLAIN)
    assert (site.counted, site.asked) == (0, 2)
    assert await read_note(redis) is None


async def test_a_crowd_is_one_note_now_and_one_later(redis: Redis) -> None:
    site = Site(redis, note_seconds=0.2)
    for _ in range(5):
        await site.ask("192.0.2.1", FORWARDED)
    await wait_for_note(redis)
    await asyncio.sleep(0.3)
    await site.ask("192.0.2.2", FORWARDED)
    note = await wait_for_note(redis, requests=6)
    assert (note.peer, note.requests) == ("192.0.2.2", 6)


async def test_without_redis_requests_are_served(own_valkey: Valkey) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        site = Site(redis, note_seconds=0)
        own_valkey.kill()
        await site.ask("192.0.2.1", FORWARDED)
        own_valkey.start()
        async with asyncio.timeout(SECONDS):
            while (note := await read_note(redis)) is None:
                await site.ask("192.0.2.1", FORWARDED)
                await asyncio.sleep(0.05)
    assert note.requests >= 1
    assert site.counted == site.asked


async def test_a_note_under_way_has_ended_when_it_is_closed(own_valkey: Valkey) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        await redis.ping()  # type: ignore[misc]  # sync or async, says redis-py
        own_valkey.freeze()
        site = Site(redis)
        async with site.witness:
            await site.ask("192.0.2.1", FORWARDED)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        own_valkey.thaw()
