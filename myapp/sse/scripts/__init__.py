"""The Lua scripts of live events."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from myapp.errors import Unavailable
from myapp.lua import LuaScripts
from myapp.sse.keys import Key

OUT_OF_REACH = "Live events are out of reach for the moment"
ANSWER_SECONDS = 2.0  # a request waits for it
CALLS_AT_ONCE = 16  # ten thousand clients that return together must not open as many connections


class Scripts(LuaScripts):
    """Calls them by their names, some at a time."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, __name__, Key)
        self._turns = asyncio.Semaphore(CALLS_AT_ONCE)
        self._unanswered_at = -math.inf

    async def call(self, name: str, *args: str | bytes | float) -> Any:
        """The script's answer. Raises Unavailable when Redis cannot be asked.

        Where it does not answer, all who wait for their turn are refused together, and not sixteen
        every two seconds.
        """
        asked_at = time.monotonic()
        async with self._turns, mind_cancellation():
            if self._unanswered_at > asked_at:
                raise Unavailable(OUT_OF_REACH)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await super().call(name, *args)
            except (TimeoutError, RedisTimeoutError) as error:
                self._unanswered_at = time.monotonic()
                raise Unavailable(OUT_OF_REACH) from error
            except (RedisError, OSError) as error:
                raise Unavailable(OUT_OF_REACH) from error


@asynccontextmanager
async def mind_cancellation() -> AsyncIterator[None]:
    """Raises CancelledError at the end if one got lost inside.

    Before Python 3.12 `asyncio.wait_for` swallows one that comes in the moment in which what it
    waits for is done, and redis-py sends its commands by it. A stream whose client has gone would
    wait for ever.
    """
    task = asyncio.current_task()
    requests = task.cancelling() if task else 0
    yield
    if task and task.cancelling() > requests:
        raise asyncio.CancelledError
