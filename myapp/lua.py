"""Lua scripts in files: each is one atomic step in Redis, whole or not at all.

They run on Redis 7 and Valkey alike. They name keys as they go, which a Redis cluster forbids.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

SHARED = "lib"  # what all scripts of a package begin with


@cache
def read_script(package: str, name: str, keys: Iterable[StrEnum]) -> str:
    """The text of a script: the names of the keys, what scripts share, and its own lines."""
    names = "".join(f"local {key.name} = '{key.value}'\n" for key in keys)
    folder = files(package)
    return names + "".join((folder / f"{file}.lua").read_text() for file in (SHARED, name))


class LuaScripts:
    """Calls scripts by their names; Redis keeps them and is given them again after a restart."""

    def __init__(self, redis: Redis, package: str, keys: type[StrEnum]) -> None:
        """The scripts are files of `package`, where each of `keys` is a local of its name."""
        self._redis = redis
        self._package = package
        self._keys = keys
        self._known: dict[str, AsyncScript] = {}

    async def call(self, name: str, *args: str | bytes | float) -> Any:
        """The script's answer. Raises RedisError, as every call of Redis does."""
        if name not in self._known:
            text = read_script(self._package, name, self._keys)
            self._known[name] = self._redis.register_script(text)
        return await self._known[name](args=args)
