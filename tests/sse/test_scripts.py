"""Calling scripts."""

import asyncio

from redis.asyncio import Redis

from myapp.errors import Unavailable
from myapp.sse.scripts import ANSWER_SECONDS, CALLS_AT_ONCE, Scripts
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


async def test_all_who_wait_behind_a_server_that_hangs_are_refused_together(
    own_valkey: Valkey,
) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        scripts = Scripts(redis)
        await scripts.call("total")
        own_valkey.freeze()
        calls = [scripts.call("total") for _ in range(20 * CALLS_AT_ONCE)]
        async with asyncio.timeout(10 * ANSWER_SECONDS):
            answers = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unavailable}
        own_valkey.thaw()
        assert await scripts.call("total") == 0


async def test_a_server_that_forgot_its_scripts_is_given_them_again(own_valkey: Valkey) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        scripts = Scripts(redis)
        assert await scripts.call("total") == 0
        await redis.script_flush()
        assert await scripts.call("total") == 0
