"""Counts that processes share, and what they do alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from myapp.bus import MessageBus
from myapp.config import Rate
from myapp.errors import RateLimited
from myapp.rate_limits import Limit, RateLimits, keys_of, subject_of
from tests.support.valkey import Valkey

RATES = {Limit.TICKETS: Rate(3, 60), Limit.USER: Rate(3, 60)}
START = 60_000_000.0  # a minute's beginning
PATIENCE = 3.0  # in seconds: on a busy machine Redis is slow, and not away


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def processes(own_valkey: Valkey, clock: Clock) -> AsyncIterator[list[RateLimits]]:
    """The limits of two processes over one Redis."""
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            redis = await stack.enter_async_context(Redis.from_url(own_valkey.url))
            bus = await stack.enter_async_context(MessageBus(redis))
            limits = RateLimits(redis, bus, RATES, clock=clock, redis_seconds=PATIENCE)
            opened.append(await stack.enter_async_context(limits))
        yield opened


async def refused(limits: RateLimits, subject: str = "ada") -> float:
    """The seconds that a refusal says."""
    with pytest.raises(RateLimited) as refusal:
        await limits.take(Limit.TICKETS, subject)
    assert refusal.value.retry_after
    return refusal.value.retry_after


async def until_redis_has(count: int, limit: Limit, server: Valkey) -> None:
    """Until it has been told so many of Ada."""
    key, _ = keys_of(limit, "ada", int(START // RATES[limit].seconds))
    async with Redis.from_url(server.url) as redis, asyncio.timeout(15):
        while int(await redis.get(key) or 0) < count:  # noqa: ASYNC110  # Redis sets no event
            await asyncio.sleep(0.01)


async def test_all_processes_count_together(processes: list[RateLimits]) -> None:
    one, other = processes
    for limits in (one, one, other):
        await limits.take(Limit.TICKETS, "ada")
    await refused(one)
    await refused(other)
    await one.take(Limit.TICKETS, "bob")


async def test_what_is_refused_does_not_count_and_its_time_is_true(
    processes: list[RateLimits], clock: Clock
) -> None:
    for _ in range(3):
        await processes[0].take(Limit.TICKETS, "ada")
    for _ in range(5):
        seconds = await refused(processes[1])
    clock.now += seconds - 1
    await refused(processes[0])
    clock.now += 1.01
    await processes[1].take(Limit.TICKETS, "ada")
    await refused(processes[0])


async def test_a_window_slides(processes: list[RateLimits], clock: Clock) -> None:
    clock.now = START + 59
    for _ in range(3):
        await processes[0].take(Limit.TICKETS, "ada")
    clock.now = START + 61
    await refused(processes[1])
    clock.now = START + 2 * 60 + 30
    for _ in range(3):
        await processes[1].take(Limit.TICKETS, "ada")


async def test_at_once_others_learn_of_it_in_the_background(
    processes: list[RateLimits], own_valkey: Valkey
) -> None:
    one, other = processes
    for _ in range(3):
        one.take_at_once(Limit.USER, "ada")
    with pytest.raises(RateLimited):
        one.take_at_once(Limit.USER, "ada")
    await until_redis_has(3, Limit.USER, own_valkey)
    other.take_at_once(Limit.USER, "ada")  # it has not heard of her yet
    await until_redis_has(4, Limit.USER, own_valkey)
    await asyncio.sleep(0.3)  # the answer is there already
    with pytest.raises(RateLimited):
        other.take_at_once(Limit.USER, "ada")


async def test_a_check_counts_nothing_and_a_note_always_counts(
    processes: list[RateLimits], own_valkey: Valkey
) -> None:
    one, other = processes
    for _ in range(5):
        await one.check(Limit.TICKETS, "ada")
    for _ in range(4):
        one.note(Limit.TICKETS, "ada")
    await until_redis_has(4, Limit.TICKETS, own_valkey)
    with pytest.raises(RateLimited):
        await other.check(Limit.TICKETS, "ada")


async def test_without_redis_each_process_counts_for_itself(
    processes: list[RateLimits], own_valkey: Valkey
) -> None:
    own_valkey.kill()
    for limits in processes:
        for _ in range(3):
            await limits.take(Limit.TICKETS, "ada")
        await refused(limits)


async def test_a_limit_that_is_off_refuses_nothing(processes: list[RateLimits]) -> None:
    for _ in range(10):
        await processes[0].take(Limit.UPLOADS, "ada")
        processes[0].take_at_once(Limit.KEY, "ada")
    assert not processes[0].is_on(Limit.UPLOADS)


@pytest.mark.parametrize("count", [1, 3])
async def test_who_waits_as_told_is_let_in(own_valkey: Valkey, clock: Clock, count: int) -> None:
    async with Redis.from_url(own_valkey.url) as redis, MessageBus(redis) as bus:
        limits = RateLimits(redis, bus, {Limit.TICKETS: Rate(count, 1)}, clock=clock)
        for step in range(20):
            clock.now += 0.13 * step
            try:
                await limits.take(Limit.TICKETS, "ada")
            except RateLimited as refusal:
                clock.now += refusal.retry_after or 0
                await limits.take(Limit.TICKETS, "ada")


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        (None, "unknown"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_an_address_stands_for_its_network(address: str | None, subject: str) -> None:
    assert subject_of(address) == subject
