"""The hub: every event stream of this process, and what they are told."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Self
from uuid import UUID

import structlog
from redis.asyncio import Redis

from myapp.bus import MessageBus, Unsubscribe
from myapp.errors import Forbidden, Unavailable
from myapp.events import Event
from myapp.identity.accounts import Accounts
from myapp.secrets import derive_key
from myapp.sse.feed import Feed, Feeds
from myapp.sse.guard import Guard, LoadStandings, may_read
from myapp.sse.history import KEPT_EVENTS, Entry, History
from myapp.sse.leases import Leases
from myapp.sse.metrics import StreamMetrics
from myapp.sse.position import IdSeal
from myapp.sse.revocation import REVOCATION_SECONDS, FindEnded, Revocation
from myapp.sse.stream import Reader, Source, Stream
from myapp.sse.turns import Turns
from myapp.sse.watch import Watch
from myapp.until import end, finish

TICK_SECONDS = 0.5
HEARTBEAT_TICKS = 30  # a stream's heartbeat, and the renewal of its lease, come every 15 s
REPORT_TICKS = 10
# Each user is looked at every 4 s: who announced a change may have died, or had no Redis.
SUSPICION_TICKS = 8
DEAF_SUSPICION_TICKS = 4  # while no announcement can be heard
ENDS_A_SECOND = 2000  # streams that end at a drain: each comes back to another process
LONGEST_DRAIN_SECONDS = 5.0
CLOSE_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Topic:
    """A channel, while this process has readers for it."""

    encode: Callable[[Entry], bytes]
    streams: dict[Stream, None] = field(default_factory=dict)
    subscription: asyncio.Task[Unsubscribe] = field(init=False)


class Hub:
    """Publishes events, and opens streams. Open it as a context manager, inside bus and accounts.

    A stream belongs to whoever opened it, who closes it.
    """

    def __init__(
        self,
        redis: Redis,
        bus: MessageBus,
        accounts: Accounts,
        *,
        secret: bytes,
        metrics: StreamMetrics,
        load_standings: LoadStandings,
        find_ended: FindEnded,
        leases: Leases | None = None,
        kept_events: int = KEPT_EVENTS,
        ends_a_second: int = ENDS_A_SECOND,
        close_seconds: float = CLOSE_SECONDS,
        revocation_seconds: float = REVOCATION_SECONDS,
    ) -> None:
        """`redis` answers in bytes; `secret` is the program's own, for the ids to be known by.

        `find_ended` is the identity provider's, and is asked every `revocation_seconds`.
        To close waits for leases that are being given back, `close_seconds` at most.
        """
        self.feeds = Feeds(IdSeal(derive_key(secret, "event ids")))
        self._bus = bus
        self._accounts = accounts
        self._metrics = metrics
        self._history = History(redis, bus, on_loss=self._leave_behind, kept_events=kept_events)
        self._turns = Turns()
        self._source = Source(self._history, self.feeds, metrics, self._turns)
        self._leases = leases or Leases(redis)
        self._ends_a_second = ends_a_second
        self._close_seconds = close_seconds
        self._guard = Guard(load_standings, streams_of=self._streams_of)
        self._revocation = Revocation(
            find_ended, streams=lambda: self._streams, period=revocation_seconds
        )
        self._topics: dict[str, Topic] = {}
        self._by_user: dict[UUID, dict[Stream, None]] = {}
        self._streams: dict[Stream, None] = {}
        self._numbers = count(1)
        self._draining = False
        self._closed = False
        self._forget_bus: Unsubscribe | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._renewing: set[asyncio.Task[Any]] = set()
        self._reported = 0

    async def __aenter__(self) -> Self:
        self._forget_bus = self._bus.on_reconnect(self._return)
        self._accounts.on_change(self._suspect)
        work = (self._guard.run(), self._revocation.run(), self._tick())
        self._keepers = [asyncio.create_task(each) for each in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is asked of Redis any more when this returns. A question that is under way while
        the client closes makes a connection that nobody closes.
        """
        if self._forget_bus is not None:
            self._forget_bus()
        await finish(asyncio.create_task(self._end_work()))

    async def _end_work(self) -> None:
        for keeper in self._keepers:
            await end(keeper)
        if self._tasks:  # leases that are being given back
            await asyncio.wait(self._tasks, timeout=self._close_seconds)
        self._closed = True
        while self._tasks:
            for task in tuple(self._tasks):
                task.cancel()
            for task in tuple(self._tasks):
                await end(task)
            await asyncio.sleep(0)  # each leaves the set a moment after its end

    async def publish(self, event: Event, *, outbox_id: str | None = None) -> str:
        """Tells the event to its user, or to everybody; returns its id.

        The same outbox id is told once, however often it comes within a day. Raises Unavailable.
        """
        position = await self._history.append(event, outbox_id=outbox_id)
        self._metrics.published.inc()
        event_id = self.feeds.id_of_event(Entry(position, event))
        user_id = None if event.user_id is None else str(event.user_id)
        log.info("event published", type=event.type, user_id=user_id, id=event_id)
        return event_id

    async def open(self, reader: Reader, *, last_event_id: str | None) -> Stream:
        """A stream that goes on after the event of that id, or from now on.

        Raises RateLimited, Forbidden for a user who has just lost access, and Unavailable without
        Redis and while the process drains.
        """
        feed = self.feeds.of_everything() if reader.is_admin else self.feeds.of_user(reader.user_id)
        stream = Stream(
            reader, feed, number=next(self._numbers), source=self._source, close=self._close
        )
        if self._draining:
            raise Unavailable("The process is about to stop")
        self._register(stream)
        try:
            await self._leases.claim(reader.user_id, stream.number)
            await self._subscribe(stream)
            await stream.begin(last_event_id)
            await self._check(reader)
        except BaseException:
            stream.close()
            raise
        return stream

    def watch(self, on_news: Callable[[], None]) -> Watch:
        """Every event there is, for somebody within this process, who needs no stream for it."""
        return Watch(self._history, self.feeds, self._bus, on_news)

    async def total_streams(self) -> int:
        """The open streams of all processes, seconds ago. Raises Unavailable."""
        return await self._leases.total()

    def drain(self) -> None:
        """Ends every stream, one after the other within seconds, and opens no more."""
        self._draining = True
        loop = asyncio.get_running_loop()
        longest = min(len(self._streams) / self._ends_a_second, LONGEST_DRAIN_SECONDS)
        for stream in self._streams:
            delay = random.uniform(0, longest)  # noqa: S311  # spreads load, hides nothing
            loop.call_later(delay, end_with_farewell, stream)

    # Opening and closing

    def _register(self, stream: Stream) -> None:
        self._streams[stream] = None
        self._by_user.setdefault(stream.reader.user_id, {})[stream] = None
        self._metrics.open.inc()
        for key in stream.feed.keys:
            if key not in self._topics:
                self._topics[key] = self._begin_topic(key, stream.feed)
            self._topics[key].streams[stream] = None

    def _begin_topic(self, key: str, feed: Feed) -> Topic:
        topic = Topic(feed.encode)
        topic.subscription = self._start(self._bus.subscribe(key, partial(self._hear, topic)))
        return topic

    async def _subscribe(self, stream: Stream) -> None:
        """Others may wait for the same subscriptions: they are not this one's to cancel."""
        for key in stream.feed.keys:
            await asyncio.shield(self._topics[key].subscription)

    async def _check(self, reader: Reader) -> None:
        """Whether the user still may: a change before now was heard when nobody listened."""
        user = await self._accounts.get(reader.user_id)
        if user is not None:
            user.check_active()
        if not may_read(user, as_admin=reader.is_admin):
            raise Forbidden

    def _close(self, stream: Stream) -> None:
        if stream not in self._streams:
            return
        del self._streams[stream]
        user_id = stream.reader.user_id
        remove(self._by_user, user_id, self._by_user[user_id], stream)
        for key in stream.feed.keys:
            topic = self._topics[key]
            if remove(self._topics, key, topic.streams, stream):
                topic.subscription.add_done_callback(unsubscribe)
        self._metrics.open.dec()
        if not self._closed:  # else its lease runs out
            self._start(self._try(self._give_back(user_id, stream.number)))

    async def _give_back(self, user_id: UUID, number: int) -> None:
        """A renewal under way, which began with this stream, would take its lease once more."""
        if self._renewing:
            await asyncio.wait(tuple(self._renewing))
        await self._leases.release(user_id, number)

    # What happens

    def _hear(self, topic: Topic, message: bytes) -> None:
        """Hands an event to its readers: it is written once for all of them."""
        entry = self._history.hear(message)
        if entry is None or not topic.streams:
            return
        chunk = (entry.position, topic.encode(entry))
        for stream in topic.streams:
            stream.push(chunk)
        self._turns.add(partial(self._measure, entry.position.at[0]))

    def _measure(self, milliseconds: int) -> None:
        """The last reader has been woken; it sends before this is called back."""
        asyncio.get_running_loop().call_soon(self._observe, milliseconds)

    def _observe(self, milliseconds: int) -> None:
        self._metrics.seconds.observe(max(0.0, time.time() - milliseconds / 1000))

    def _return(self) -> None:
        """After a gap. What we know to have happened shows whether Redis has lost it meanwhile."""
        self._leave_behind()
        self._start(self._try(self._history.compare()))

    def _leave_behind(self) -> None:
        """Something may have been missed, by every stream."""
        for stream in self._streams:
            stream.fall_behind()

    def _suspect(self, user_id: UUID | None) -> None:
        self._guard.suspect(tuple(self._by_user) if user_id is None else (user_id,))

    def _suspect_some(self, tick: int) -> None:
        """All in turns, so that the database is not asked for all of them at once."""
        turns = SUSPICION_TICKS if self._bus.connected else DEAF_SUSPICION_TICKS
        due = [s.reader.user_id for s in self._streams if s.number % turns == tick % turns]
        self._guard.suspect(due)

    def _streams_of(self, user_id: UUID) -> dict[Stream, None]:
        return self._by_user.get(user_id, {})

    # What the clock says

    async def _tick(self) -> None:
        for tick in count():
            await asyncio.sleep(TICK_SECONDS)
            self._end_expired(time.time())
            self._beat(tick % HEARTBEAT_TICKS)
            if tick % REPORT_TICKS == 0 and (self._streams or self._reported):
                self._reported = len(self._streams)
                self._start(self._try(self._leases.report(self._reported)))
            self._suspect_some(tick)

    def _end_expired(self, now: float) -> None:
        for stream in self._streams:
            if stream.reader.expires_at <= now:
                stream.end()

    def _beat(self, turn: int) -> None:
        """Each stream has its turn, so that they do not all beat at once."""
        due = [s for s in self._streams if s.number % HEARTBEAT_TICKS == turn]
        for stream in due:
            stream.beat()
        if due:
            leases = [(stream.reader.user_id, stream.number) for stream in due]
            renewing = self._start(self._try(self._leases.renew(leases)))
            self._renewing.add(renewing)
            renewing.add_done_callback(self._renewing.discard)

    # Work beside

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # A task keeps what it was started in, and a subscription's is kept: no request outlives
        # the opening of its stream.
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _try(self, work: Coroutine[Any, Any, None]) -> None:
        """A lease that is not kept up runs out, and so on: without Redis it is left undone."""
        try:
            await work
        except Unavailable as error:
            log.debug("work beside the streams left undone", error=repr(error))


def remove(owner: dict[Any, Any], key: object, members: dict[Stream, None], one: Stream) -> bool:
    """Takes a member out, and its group out of the owner with the last; whether that was so."""
    members.pop(one, None)
    if members:
        return False
    del owner[key]
    return True


def unsubscribe(subscription: asyncio.Future[Unsubscribe]) -> None:
    if not subscription.cancelled() and subscription.exception() is None:
        subscription.result()()


def end_with_farewell(stream: Stream) -> None:
    stream.end(farewell=True)
