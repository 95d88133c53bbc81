"""One relay at a time: a short lease in Redis.

It saves double work and no more. That nothing is handed on twice, and nothing out of order, even
by a relay that was frozen and comes back after its lease, is seen to by the receivers: the queue
and the hub know each row by its key and refuse it a second time.
"""

from uuid import uuid4

from redis.asyncio import Redis

from myapp.queue.connection import PATIENCE, within_patience

KEY = "myapp:outbox:relay"
SECONDS = 5.0

TAKE = """local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1"""
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


class RelayLease:
    """This process's claim to relay. Methods raise Unavailable when Redis is away."""

    def __init__(self, redis: Redis, *, seconds: float = SECONDS) -> None:
        self._milliseconds = round(seconds * 1000)
        self._token = uuid4().hex
        self._take = redis.register_script(TAKE)
        self._release = redis.register_script(RELEASE)

    async def take(self) -> bool:
        """Whether it is ours, for its seconds from now on; it may have been ours before."""
        async with within_patience(PATIENCE):
            return bool(await self._take(keys=[KEY], args=[self._token, self._milliseconds]))

    async def release(self) -> None:
        """Lets the next one have it."""
        async with within_patience(PATIENCE):
            await self._release(keys=[KEY], args=[self._token])
