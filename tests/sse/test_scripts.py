"""Calling scripts."""

import asyncio

from redis.asyncio import Redis

from myapp.sse.scripts import Scripts
from tests.support.valkey import Valkey


async def test_a_cancellation_is_never_swallowed_whenever_it_comes(own_valkey: Valkey) -> None:
    """A stream whose client has gone would wait for ever."""
    async with Redis.from_url(own_valkey.url, socket_timeout=2) as redis:
        scripts = Scripts(redis)
        await scripts.call("total")
        for steps in list(range(12)) * 20:
            call = asyncio.create_task(scripts.call("total"))
            for _ in range(steps):
                await asyncio.sleep(0)
            was_cancelled = call.cancel()
            await asyncio.wait([call])
            assert call.cancelled() == was_cancelled


async def test_a_server_that_forgot_its_scripts_is_given_them_again(own_valkey: Valkey) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        scripts = Scripts(redis)
        assert await scripts.call("total") == 0
        await redis.script_flush()
        assert await scripts.call("total") == 0
