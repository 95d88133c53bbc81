"""The queue's connection to Redis, and what to do while there is none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from myapp.backoff import Backoff
from myapp.errors import Unavailable
from myapp.redis_client import make_client

log = structlog.get_logger()

# A server that answers nothing for this long counts as away. Longer than a blocking read.
SOCKET_TIMEOUT = 5.0
CONNECT_TIMEOUT = 2.0
# How long a request waits for Redis before it is told that the queue is out of reach.
PATIENCE = 2.0
REDIS_FAULTS = (RedisError, OSError, TimeoutError)

Answer = TypeVar("Answer")


# The cap is far below a worker's lease, so that a return of Redis is never missed by that much.
RECONNECT = Backoff(base=0.1, cap=2.0)


def connect_queue(url: str) -> Redis:
    """A client of the queue's own: its blocking reads must not take others' connections.

    Takes redis://, rediss:// and unix:// addresses; connects with its first command. A command
    on a connection that has died meanwhile is sent once more; waiting is up to the caller.
    """
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return make_client(
        url,
        decode_responses=True,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        **keepalive,
    )


@asynccontextmanager
async def within_patience(seconds: float) -> AsyncIterator[None]:
    """Raises Unavailable when Redis cannot be asked, or has not answered after so long."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except REDIS_FAULTS as error:
        raise Unavailable("The queue is out of reach for the moment") from error


class RedisLink:
    """Whether Redis answers. Says so in the log once when it goes and once when it is back.

    One link for all that a process does with the queue makes that one line a process.
    """

    def __init__(self, backoff: Backoff = RECONNECT) -> None:
        self._backoff = backoff
        self._failing: dict[object, str] = {}  # calls whose last try failed, and of what

    @property
    def up(self) -> bool:
        """Whether nothing fails. What only reads may succeed while Redis takes no writes."""
        return not self._failing

    @property
    def last_error(self) -> str | None:
        """Why not, while that is so."""
        return next(reversed(self._failing.values()), None)

    async def persist(
        self, call: Callable[[], Awaitable[Answer]], *, within: float | None = None
    ) -> Answer:
        """The call's answer, however long Redis is away.

        Raises TimeoutError after `within` seconds, or as soon as the next try would come after it.
        """
        clock, me = asyncio.get_running_loop().time, object()
        deadline = None if within is None else clock() + within
        try:
            for failures in count(1):
                try:
                    async with asyncio.timeout_at(deadline):
                        answer = await call()
                except REDIS_FAULTS as error:
                    self._lose(me, error)
                    delay = self._backoff.delay(failures)
                    if deadline and clock() + delay >= deadline:
                        raise TimeoutError from error
                    await asyncio.sleep(delay)
                else:
                    self._find(me)
                    return answer
        finally:
            self._failing.pop(me, None)
        raise AssertionError("counting never ends")

    def _lose(self, caller: object, error: Exception) -> None:
        was_up = self.up
        self._failing[caller] = f"{type(error).__name__}: {error}".rstrip(": ")
        if was_up:
            log.warning("queue lost redis", error=self.last_error)

    def _find(self, caller: object) -> None:
        if self._failing.pop(caller, None) and self.up:
            log.warning("queue has redis again")
