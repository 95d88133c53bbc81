"""Tickets, against a real server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from myapp.database.base import new_id
from myapp.errors import Unauthenticated, Unavailable
from myapp.sse.tickets import Holder, Tickets
from tests.support.hubs import SIGN_IN
from tests.support.valkey import Valkey

SECRET = b"t" * 32


@pytest.fixture
async def redis(own_valkey: Valkey) -> AsyncIterator[Redis]:
    async with Redis.from_url(own_valkey.url) as client:
        yield client


@pytest.fixture
def tickets(redis: Redis) -> Tickets:
    return Tickets(redis, secret=SECRET)


@pytest.fixture
def holder() -> Holder:
    return Holder(new_id(), SIGN_IN, datetime.now(UTC) + timedelta(hours=1))


async def test_a_ticket_lets_its_holder_in(tickets: Tickets, holder: Holder) -> None:
    assert await tickets.redeem(await tickets.issue(holder)) == holder


async def test_of_twenty_who_come_at_once_one_gets_in(tickets: Tickets, holder: Holder) -> None:
    ticket = await tickets.issue(holder)
    answers = await asyncio.gather(
        *(tickets.redeem(ticket) for _ in range(20)), return_exceptions=True
    )
    assert answers.count(holder) == 1
    assert sum(isinstance(answer, Unauthenticated) for answer in answers) == 19


async def test_it_holds_for_half_a_minute(tickets: Tickets, holder: Holder, redis: Redis) -> None:
    await tickets.issue(holder)
    (key,) = await redis.keys("*")
    assert 20_000 < await redis.pttl(key) <= 30_000


async def test_it_holds_no_longer_than_the_token(tickets: Tickets) -> None:
    expired = Holder(new_id(), SIGN_IN, datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        await tickets.redeem(await tickets.issue(expired))


async def test_redis_does_not_know_it(tickets: Tickets, holder: Holder, redis: Redis) -> None:
    ticket = await tickets.issue(holder)
    (key,) = await redis.keys("*")
    assert ticket.encode() not in key + await redis.get(key)


async def test_to_write_to_redis_lets_nobody_in(
    tickets: Tickets, holder: Holder, redis: Redis
) -> None:
    ticket, made_up = await tickets.issue(holder), "A" * 43
    (key,) = await redis.keys("*")
    forged = key.decode().rpartition(":")[0] + ":" + hashlib.sha256(made_up.encode()).hexdigest()
    await redis.copy(key, forged)
    with pytest.raises(Unauthenticated):
        await tickets.redeem(made_up)
    await redis.set(key, b'["x"]')
    with pytest.raises(Unauthenticated):
        await tickets.redeem(ticket)


@pytest.mark.parametrize("text", ["", "x", "é" * 43, "A" * 43, "A" * 10_000])
async def test_what_is_no_ticket_lets_nobody_in(tickets: Tickets, text: str) -> None:
    with pytest.raises(Unauthenticated):
        await tickets.redeem(text)


async def test_without_redis_it_is_unavailable(
    tickets: Tickets, holder: Holder, own_valkey: Valkey
) -> None:
    ticket = await tickets.issue(holder)
    own_valkey.kill()
    with pytest.raises(Unavailable):
        await tickets.issue(holder)
    with pytest.raises(Unavailable):
        await tickets.redeem(ticket)
