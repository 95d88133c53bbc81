"""One reader's stream: through the history into the present, in order, each event once."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import structlog

from myapp.errors import Unavailable
from myapp.identity.base import SignIn
from myapp.sse.feed import Feed, Feeds
from myapp.sse.history import History, Page
from myapp.sse.metrics import StreamMetrics
from myapp.sse.position import Position
from myapp.sse.turns import Turns
from myapp.sse.wire import HEARTBEAT, encode_farewell, encode_opening, encode_resync

BUFFERED_EVENTS = 256
PIECE_BYTES = 32 * 1024  # small events that wait together go out together
SLOW_SECONDS = 0.25  # for a reader to show that it was us who were busy
RETRY_SECONDS = (0.5, 2.0)  # before history is asked again
# It is no id that we gave out: a client that is cut right after it is told to resync once more.
NO_ID = "resync"

Chunk = tuple[Position, bytes]  # one event, written for the wire once for all its readers

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a stream: until `expires_at`, in unix seconds, and only as an administrator where
    `is_admin` says so. `sign_in` is that of the token by which it was opened. `abort` drops the
    connection, also when nothing is taken from it.
    """

    user_id: UUID
    sign_in: SignIn
    expires_at: float
    is_admin: bool
    abort: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What streams are made from."""

    history: History
    feeds: Feeds
    metrics: StreamMetrics
    turns: Turns


class Stream:
    """Pieces of an event stream, to be iterated over once.

    What happens is pushed into a buffer of 256 events. A stream that has missed something, or
    that has more coming than it can hold, falls behind: it reads from history until it has caught
    up. One whose reader takes nothing meanwhile is dropped.
    """

    __slots__ = (
        "_at",
        "_beat_due",
        "_behind",
        "_buffer",
        "_close",
        "_ended",
        "_first",
        "_has_turn",
        "_last",
        "_sending",
        "_sent",
        "_source",
        "_stuck",
        "_waiter",
        "feed",
        "number",
        "reader",
    )

    def __init__(
        self,
        reader: Reader,
        feed: Feed,
        *,
        number: int,
        source: Source,
        close: Callable[["Stream"], None],
    ) -> None:
        """`number` is its own within the process; `close` is called when it is done with."""
        self.reader = reader
        self.feed = feed
        self.number = number
        self._source = source
        self._close = close
        self._at: Position | None = None  # all up to here has been handed out
        self._buffer: list[Chunk] = []
        self._behind = True  # whether history has what comes next: then live events do not matter
        self._stuck = False  # whether history is out of reach
        self._beat_due = False
        self._has_turn = False
        self._first = b""
        self._last = b""
        self._ended = False
        self._sending = False
        self._sent = 0
        self._waiter: asyncio.Future[None] | None = None

    async def begin(self, event_id: str | None) -> None:
        """Finds the place to begin at: after the event of that id, or now. Raises Unavailable."""
        feeds, history = self._source.feeds, self._source.history
        if event_id:
            self._source.metrics.replays.inc()
            self._at = feeds.find(self.feed, event_id)
        self._behind = False
        page = await history.read(self.feed.keys, after=self._at)
        if (event_id and self._at is None) or not page.reaches:
            self._first = encode_opening(NO_ID) + self._resync(page)
            return
        # Whoever is cut off in the middle of a replay returns to its beginning.
        place = self._at if self._at and page.entries else page.position
        opening = encode_opening(feeds.id_of(self.feed, place))
        self._first = opening + b"".join(self._accept(page))

    # What the hub tells it

    def push(self, chunk: Chunk) -> None:
        """Takes an event that has just happened; one that came by history already is left out."""
        if self._behind or (self._at is not None and chunk[0].at <= self._at.at):
            return
        if len(self._buffer) >= BUFFERED_EVENTS:
            self.fall_behind()
            self._watch_reader()
            return
        self._buffer.append(chunk)
        if not self._has_turn:
            self._has_turn = True
            self._source.turns.add(self._take_turn)

    def fall_behind(self) -> None:
        """Has it ask history for what comes next."""
        self._behind = True
        self._stuck = False
        self._buffer = []
        self._wake()

    def beat(self) -> None:
        """Has it send a sign of life."""
        self._beat_due = True
        self._wake()

    def end(self, *, farewell: bool = False) -> None:
        """Ends it, within a moment also where nobody reads; `farewell` says when to return."""
        if not self._ended:
            self._ended = True
            # Something is sent in any case: by that we see whether the reader takes it.
            self._last = encode_farewell() if farewell else HEARTBEAT
            self._wake()
            self._watch_reader()

    def close(self) -> None:
        """Gives back what it holds; to be called when nobody iterates any more."""
        self._ended = True
        self._close(self)

    # What the reader takes

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._sending = False
        piece = b""
        while not (piece or self._ended):
            piece = await self._take_piece()
        piece = piece or self._take_last()
        self._sending = True
        self._sent += 1
        if self._ended:
            self._watch_reader()
        return piece

    def _take_last(self) -> bytes:
        if not self._last:
            raise StopAsyncIteration
        piece, self._last = self._last, b""
        return piece

    async def _take_piece(self) -> bytes:
        """What is to be sent now; nothing if something has changed meanwhile."""
        if self._first:
            piece, self._first = self._first, b""
            return piece
        if self._behind and not self._stuck:
            return await self._catch_up()
        if self._buffer:
            return self._take_buffered()
        if self._beat_due:
            self._beat_due = False
            return HEARTBEAT
        await self._wait()
        return b""

    def _take_buffered(self) -> bytes:
        size = count = 0
        for _, data in self._buffer:
            size += len(data)
            count += 1
            if size >= PIECE_BYTES:
                break
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        self._at = taken[-1][0]
        self._source.metrics.delivered.inc(count)
        return taken[0][1] if count == 1 else b"".join(data for _, data in taken)

    async def _catch_up(self) -> bytes:
        """One page of history. What happens while it is read is kept for after it."""
        self._behind = False
        try:
            page = await self._source.history.read(self.feed.keys, after=self._at)
        except Unavailable:
            self._behind = self._stuck = True
            self._buffer = []  # what came meanwhile has its place behind what is still to be read
            delay = random.uniform(*RETRY_SECONDS)  # noqa: S311  # spreads load, hides nothing
            asyncio.get_running_loop().call_later(delay, self._try_again)
            return b""
        return b"".join(self._accept(page)) if page.reaches else self._resync(page)

    def _accept(self, page: Page) -> Sequence[bytes]:
        self._move_to(page.position)
        self._behind = self._behind or not page.complete
        self._source.metrics.delivered.inc(len(page.entries))
        return [self.feed.encode(entry) for entry in page.entries]

    def _resync(self, page: Page) -> bytes:
        self._move_to(page.position)
        self._source.metrics.resyncs.inc()
        return encode_resync(self._source.feeds.id_of(self.feed, page.position))

    def _move_to(self, position: Position) -> None:
        self._at = position
        self._buffer = [chunk for chunk in self._buffer if chunk[0].at > position.at]

    def _try_again(self) -> None:
        self._stuck = False
        self._wake()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _take_turn(self) -> None:
        self._has_turn = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _watch_reader(self) -> None:
        """Gives the reader a moment to take what it is being sent, and then drops it."""
        if self._sending:
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._judge_reader, self._sent)

    def _judge_reader(self, sent: int) -> None:
        if self._sending and self._sent == sent:
            if not self._ended:
                self._source.metrics.dropped.inc()
                log.info("slow reader dropped", user_id=str(self.reader.user_id))
            self._ended = True
            self.reader.abort()
