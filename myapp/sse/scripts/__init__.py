"""The Lua scripts of live events: each is one atomic step, whole or not at all.

They run on Redis 7 and Valkey alike. They name keys as they go, which a Redis cluster forbids.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from myapp.errors import Unavailable
from myapp.sse.keys import Key

ANSWER_SECONDS = 2.0  # a request waits for it
CALLS_AT_ONCE = 16  # ten thousand clients that return together must not open as many connections

Argument = str | bytes | int


@cache
def read_script(name: str) -> str:
    """The text of a script: the names of the keys, what scripts share, and its own lines."""
    names = "".join(f"local {key.name} = '{key.value}'\n" for key in Key)
    folder = files(__name__)
    return names + (folder / "lib.lua").read_text() + (folder / f"{name}.lua").read_text()


class Scripts:
    """Calls scripts by their names; Redis keeps them and is given them again after a restart."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._known: dict[str, AsyncScript] = {}
        self._turns = asyncio.Semaphore(CALLS_AT_ONCE)

    async def call(self, name: str, *args: Argument) -> Any:
        """The script's answer. Raises Unavailable when Redis cannot be asked."""
        if name not in self._known:
            self._known[name] = self._redis.register_script(read_script(name))
        async with self._turns, mind_cancellation():
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._known[name](args=args)
            except (RedisError, OSError, TimeoutError) as error:
                raise Unavailable("Live events are out of reach for the moment") from error


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
