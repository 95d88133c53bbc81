"""The limit of streams, and a process that is killed."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis.asyncio import Redis

from myapp.database.base import new_id
from myapp.errors import RateLimited
from myapp.sse.leases import STREAMS_A_USER, Leases
from tests.support.valkey import Valkey

LEASE_SECONDS = 2.5  # a holder on a busy machine may be late by two seconds
USER = new_id()
# Opens as many streams as there may be, and keeps their leases up until it is ended.
HOLDER = f"""
import asyncio
from uuid import UUID
from redis.asyncio import Redis
from myapp.sse.leases import STREAMS_A_USER, Leases

async def hold(url):
    async with Redis.from_url(url) as redis:
        leases, user = Leases(redis, lease_seconds={LEASE_SECONDS}), UUID("{USER}")
        for number in range(STREAMS_A_USER):
            await leases.claim(user, number)
        print("open", flush=True)
        while True:
            await asyncio.sleep({LEASE_SECONDS} / 4)
            await leases.renew([(user, number) for number in range(STREAMS_A_USER)])

asyncio.run(hold("%s"))
"""


@contextmanager
def holder(url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER % url], stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


async def test_the_limit_holds_while_a_process_lives_and_heals_when_it_is_killed(
    own_valkey: Valkey,
) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        leases = Leases(redis)
        with holder(own_valkey.url) as process:
            await asyncio.sleep(1.2 * LEASE_SECONDS)
            with pytest.raises(RateLimited):
                await leases.claim(USER, 1)
            process.kill()
            await asyncio.sleep(1.2 * LEASE_SECONDS)
            for number in range(STREAMS_A_USER):
                await leases.claim(USER, number)
            with pytest.raises(RateLimited):
                await leases.claim(USER, STREAMS_A_USER)


async def test_a_stream_that_ends_makes_room(own_valkey: Valkey) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        leases = Leases(redis)
        for number in range(STREAMS_A_USER):
            await leases.claim(USER, number)
        await leases.release(USER, 3)
        await leases.claim(USER, 99)


async def test_the_sum_forgets_processes_that_are_gone(own_valkey: Valkey) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        gone, here = Leases(redis, lease_seconds=2.0), Leases(redis)
        await gone.report(5)
        await here.report(2)
        assert await here.total() == 7
        await asyncio.sleep(2.1)
        assert await here.total() == 2
