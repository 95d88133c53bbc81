"""Messages between processes: one Redis pub/sub connection for each.

Nothing is kept for who is away. After every gap the bus says that there was one, and whoever
relies on messages then assumes the worst.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Self

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from myapp.errors import Unavailable
from myapp.until import end

CONNECT_SECONDS = 3.0
SEND_SECONDS = 2.0
PUBLISH_SECONDS = 0.5  # a request waits for it
PING_SECONDS = 1.0
LEAVE_SECONDS = 0.5  # in which all connections find out that are written to at once
UNANSWERED_PINGS = 3  # then the connection is dead, whatever the kernel believes
FIRST_WAIT_SECONDS = 1.0  # what a start waits at most for the first connection
BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 3.0
CHANNELS_A_COMMAND = 500
OUT_OF_REACH = "The message bus is out of reach"
REPLICA = "Redis is a replica by now"

Callback = Callable[[bytes], None]
Unsubscribe = Callable[[], None]

log = structlog.get_logger()


@dataclass(eq=False, frozen=True, slots=True)
class Subscriber:
    """One call of subscribe: compared by identity, since callbacks may be given twice."""

    callback: Callback


class MessageBus:
    """Publishes, and hands what arrives to callbacks, on the loop, for as long as it is open.

    It connects by itself and again after every loss; Redis may be away when it is opened.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        publish_seconds: float = PUBLISH_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        leave_seconds: float = LEAVE_SECONDS,
    ) -> None:
        """`redis` publishes, and says where the connection of our own goes.

        To publish takes `publish_seconds` at most, and a try to connect `connect_seconds`. It
        stays for `leave_seconds` when it is told to leave.
        """
        self._redis = redis
        self._connect_seconds = connect_seconds
        self._publish_seconds = publish_seconds
        self._leave_seconds = leave_seconds
        self._subscribers: dict[str, list[Subscriber]] = {}
        self._reconnect_callbacks: list[Callable[[], None]] = []
        self._waiters: dict[str, asyncio.Future[None]] = {}
        self._connected = False
        self._in_force: set[str] = set()  # channels that Redis sends us
        self._asked: set[str] = set()  # channels for which an answer is due
        self._changed: set[str] = set()  # channels to be brought in line
        self._wake = asyncio.Event()
        self._unanswered = 0
        self._lost_at: float | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._may_stay = True
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Starts, and waits a moment for the connection; without one it goes on trying."""
        self._task = asyncio.create_task(self._run(), name="message bus")
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_WAIT_SECONDS):
                await self._tried.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        if self._task is not None:
            await end(self._task)
            self._disconnect()

    @property
    def connected(self) -> bool:
        """Whether there is a connection, with all its subscriptions in force."""
        return self._connected

    def on_reconnect(self, callback: Callable[[], None]) -> Unsubscribe:
        """Calls back each time a connection is in force, also the first time, until the returned
        function is called.

        Whatever was published before that may have been missed.
        """
        self._reconnect_callbacks.append(callback)
        return partial(self._reconnect_callbacks.remove, callback)

    def leave(self) -> None:
        """Has it connect anew, in a moment: somebody found that this server is a replica by now.

        Nobody tells the bus, which never writes, and what is published at the new primary may not
        come here.
        """
        if self._leaving is None:
            loop = asyncio.get_running_loop()
            self._leaving = loop.call_later(self._leave_seconds, self._part)

    def _part(self) -> None:
        self._leaving = None
        self._may_stay = False
        self._wake.set()

    async def publish(self, channel: str, message: bytes) -> None:
        """Sends to every process that is subscribed now.

        Raises Unavailable without Redis, and at once where that is known.
        """
        if not self._connected:
            raise Unavailable(OUT_OF_REACH)
        try:
            async with asyncio.timeout(self._publish_seconds):
                await self._redis.publish(channel, message)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(OUT_OF_REACH) from error

    async def subscribe(self, channel: str, callback: Callback) -> Unsubscribe:
        """Calls back with every message on the channel, until the returned function is called.

        Returns once Redis has confirmed it, or, without a connection, at once: `connected` then
        says which. The next connection includes it either way.
        """
        subscriber = Subscriber(callback)
        self._subscribers.setdefault(channel, []).append(subscriber)
        unsubscribe = partial(self._unsubscribe, channel, subscriber)
        try:
            await self._bring_in_force(channel)
        except asyncio.CancelledError:
            unsubscribe()
            raise
        return unsubscribe

    def _unsubscribe(self, channel: str, subscriber: Subscriber) -> None:
        """A second call finds nothing to do."""
        subscribers = self._subscribers.get(channel, [])
        if subscriber in subscribers:
            subscribers.remove(subscriber)
            if not subscribers:
                del self._subscribers[channel]
                self._change(channel)

    async def _bring_in_force(self, channel: str) -> None:
        self._change(channel)
        if self._connected and channel not in self._in_force:
            waiter = self._waiters.setdefault(channel, asyncio.Future())
            await asyncio.shield(waiter)

    def _change(self, channel: str) -> None:
        self._changed.add(channel)
        self._wake.set()

    async def _run(self) -> None:
        """Holds a connection, for ever."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._hold_connection()
            except Exception as error:  # noqa: BLE001  # the next one may do better
                self._lose(error)
            failures = 0 if time.monotonic() - began > LONGEST_BACKOFF_SECONDS else failures + 1
            await asyncio.sleep(backoff(failures))

    async def _hold_connection(self) -> None:
        """Serves one connection; ends by failing."""
        connection = self._make_connection()
        try:
            async with asyncio.timeout(self._connect_seconds):
                await connection.connect()  # type: ignore[no-untyped-call]  # not typed
                await refuse_replica(connection)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(connection))
                tasks.create_task(self._write(connection))
        finally:
            await connection.disconnect(nowait=True)

    def _make_connection(self) -> AbstractConnection:
        """A connection that leaves retries and pings to us: redis-py's hide the gap they leave."""
        pool = self._redis.connection_pool
        ours = {
            "protocol": 2,
            "decode_responses": False,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
            "retry_on_timeout": False,
            "socket_timeout": None,
            "socket_connect_timeout": self._connect_seconds,
            "health_check_interval": 0,
        }
        connection: AbstractConnection = pool.connection_class(**(pool.connection_kwargs | ours))
        return connection

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            answer = await connection.read_response()
            self._unanswered = 0
            match answer:
                case [b"message", bytes(channel), bytes(message)]:
                    self._deliver(channel.decode(), message)
                case [b"subscribe" | b"unsubscribe" as kind, bytes(channel), _]:
                    self._confirm(channel.decode(), in_force=kind == b"subscribe")
                case _:
                    pass  # a PONG, which has two shapes
            if not (self._connected or self._asked or self._changed):
                self._gain()

    async def _write(self, connection: AbstractConnection) -> None:
        """Sends what the subscribers want as it changes, and a PING at intervals."""
        self._asked.clear()
        self._changed = set(self._subscribers)
        self._unanswered = 0
        self._may_stay = True
        next_ping = 0.0
        while True:
            self._wake.clear()
            if not self._may_stay:
                # Others to the same server, on which it would publish to nobody.
                await self._redis.connection_pool.disconnect(inuse_connections=False)
                raise ConnectionError(REPLICA)
            for command in self._commands():
                await send(connection, *command)
            if time.monotonic() >= next_ping:
                await self._ping(connection)
                next_ping = time.monotonic() + PING_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(next_ping - time.monotonic()):
                    await self._wake.wait()

    def _commands(self) -> list[tuple[str, ...]]:
        """What brings the changed channels in line; one whose answer is due waits for that."""
        changed = self._changed - self._asked
        self._changed = set()
        wanted = [c for c in changed if c in self._subscribers and c not in self._in_force]
        unwanted = [c for c in changed if c not in self._subscribers and c in self._in_force]
        self._in_force.difference_update(unwanted)
        self._asked.update(wanted, unwanted)
        return [
            (name, *channels[start : start + CHANNELS_A_COMMAND])
            for name, channels in (("SUBSCRIBE", wanted), ("UNSUBSCRIBE", unwanted))
            for start in range(0, len(channels), CHANNELS_A_COMMAND)
        ]

    async def _ping(self, connection: AbstractConnection) -> None:
        """Counts pings, not seconds: after a stall of our own loop the answers are there."""
        if self._unanswered >= UNANSWERED_PINGS:
            raise ConnectionError("Redis does not answer")
        self._unanswered += 1
        await send(connection, "PING")

    def _confirm(self, channel: str, *, in_force: bool) -> None:
        self._asked.discard(channel)
        if in_force:
            self._in_force.add(channel)
            self._release(channel)
        if in_force != (channel in self._subscribers):
            self._change(channel)

    def _release(self, channel: str) -> None:
        waiter = self._waiters.pop(channel, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _deliver(self, channel: str, message: bytes) -> None:
        for subscriber in tuple(self._subscribers.get(channel, ())):
            call_back(subscriber.callback, message)

    def _gain(self) -> None:
        """All that was wanted is in force."""
        self._connected = True
        self._tried.set()
        if self._lost_at is not None:
            log.info("message bus is back", after=round(time.monotonic() - self._lost_at, 1))
            self._lost_at = None
        for callback in tuple(self._reconnect_callbacks):
            call_back(callback)

    def _disconnect(self) -> None:
        """Nothing is in force, and nobody waits for it any more."""
        self._connected = False
        self._in_force.clear()
        for channel in list(self._waiters):
            self._release(channel)

    def _lose(self, error: Exception) -> None:
        self._disconnect()
        self._tried.set()
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            cause = first_of(error)
            expected = isinstance(cause, RedisError | OSError | TimeoutError)
            named = str(cause) or type(cause).__name__  # a timeout says nothing
            log.warning("message bus lost", error=named, exc_info=None if expected else cause)


def call_back(callback: Callable[..., None], *arguments: object) -> None:
    """One subscriber's defect is no other's, nor the connection's."""
    try:
        callback(*arguments)
    except Exception:
        log.exception("callback failed", callback=repr(callback))


async def refuse_replica(connection: AbstractConnection) -> None:
    """Raises ConnectionError where the name in the URL leads to one, as it may for some time."""
    await send(connection, "ROLE")
    try:
        role, *_ = await connection.read_response()
    except ResponseError:  # not everybody may ask
        return
    if role in (b"slave", b"replica"):
        raise ConnectionError(REPLICA)


async def send(connection: AbstractConnection, *command: str) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await connection.send_command(*command)


def backoff(failures: int) -> float:
    """Seconds before the next try: more each time up to a limit, and never all at once."""
    longest = min(BACKOFF_SECONDS * 2.0 ** min(failures, 10), LONGEST_BACKOFF_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311  # nothing secret


def first_of(error: BaseException) -> BaseException:
    """The error itself, or the first one inside groups."""
    return first_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
