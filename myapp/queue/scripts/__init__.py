"""The queue's Lua scripts: what happens to a job happens in one of them, whole or not at all.

They run on Redis 7 and Valkey alike. They name keys as they go, which a Redis cluster forbids.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from myapp.queue.keys import Key


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

    async def call(self, name: str, *args: str | float) -> Any:
        """The script's answer. Raises RedisError, as every call of Redis does."""
        if name not in self._known:
            self._known[name] = self._redis.register_script(read_script(name))
        return await self._known[name](args=args)
