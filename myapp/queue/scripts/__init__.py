"""The queue's Lua scripts: what happens to a job happens in one of them."""

from redis.asyncio import Redis

from myapp.lua import LuaScripts
from myapp.queue.keys import Key


class Scripts(LuaScripts):
    """Calls them by their names. Raises RedisError, as every call of Redis does."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, __name__, Key)
