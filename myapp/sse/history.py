"""What was told: kept in Redis Streams for who comes back, and announced in the same step."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from redis.asyncio import Redis

from myapp.bus import MessageBus
from myapp.errors import Unavailable
from myapp.events import Event
from myapp.sse.position import EPOCH_BYTES, Position
from myapp.sse.scripts import Scripts

KEPT_EVENTS = 1000
KEPT_FOR = timedelta(hours=24)
OUTBOX_REMEMBERED = timedelta(hours=25)
RETRY_REMEMBERED = timedelta(minutes=1)  # the Redis client sends again on a connection that died
PAGE_EVENTS = 64  # of each stream: with the largest events a page takes some 8 MiB
NOBODY = "-"  # in place of a user: everybody

UNKNOWN = Position("", (0, 0))


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that has its place."""

    position: Position
    event: Event


@dataclass(frozen=True, slots=True)
class Page:
    """What came after a position.

    `reaches` is whether history goes back that far; if not there are no entries. `complete` is
    whether these entries are all there is. Nothing up to `position` is left to be read, and after
    a complete page whatever else happens comes after it.
    """

    position: Position
    entries: Sequence[Entry]
    reaches: bool
    complete: bool


class History:
    """The events in Redis, in one order over all streams. Methods raise Unavailable."""

    def __init__(
        self,
        redis: Redis,
        bus: MessageBus,
        *,
        on_loss: Callable[[], None],
        kept_events: int = KEPT_EVENTS,
    ) -> None:
        """`on_loss` is called when Redis turns out to have lost what it had."""
        self._scripts = Scripts(redis)
        self._bus = bus
        self._on_loss = on_loss
        self._kept_events = kept_events
        self._latest = UNKNOWN

    async def append(self, event: Event, *, outbox_id: str | None = None) -> Position:
        """Gives the event its place and tells every process that has a reader for it.

        One that comes again with its outbox id, within 24 hours at least, has its place already
        and is told to nobody.
        """
        once, remembered = uuid4().hex, RETRY_REMEMBERED
        if outbox_id is not None:
            once, remembered = f"outbox:{outbox_id}", OUTBOX_REMEMBERED
        answer = await self._scripts.call(
            "append",
            *arguments(self._latest),
            str(event.user_id or NOBODY),
            event.type,
            event.data,
            once,
            milliseconds(remembered),
            self._kept_events,
            milliseconds(KEPT_FOR),
        )
        position = parse_position(answer)
        self._notice(position)
        return position

    async def read(self, keys: Sequence[str], *, after: Position | None) -> Page:
        """The next events of these streams together, in order; without `after` only where we are.

        Whoever listens to the streams' channels already misses nothing between the last page and
        what they hear. Fails at once where the bus is known to be away.
        """
        self._check_bus()
        begin = after or self._latest
        answer = await self._scripts.call(
            "read",
            *arguments(begin),
            begin.at[0] + begin.quiet_for,
            PAGE_EVENTS,
            self._kept_events,
            milliseconds(KEPT_FOR),
            *(keys if after else ()),
        )
        position = parse_place(answer)
        self._notice(position)
        if after is None:
            return Page(position, (), reaches=True, complete=True)
        if len(answer) == 4:
            return Page(position, (), reaches=False, complete=True)
        return merge(position, answer[4:])

    async def newest(self, key: str) -> Page:
        """The newest events of a stream, in order; whatever else happens comes after the page.

        It reads backwards, since nobody knows where the oldest one stands by the time it arrives.
        """
        self._check_bus()
        place, entries, before = None, list[Entry](), "+"
        while True:
            limit = min(PAGE_EVENTS, self._kept_events - len(entries))
            answer = await self._scripts.call(
                "newest", *arguments(self._latest), key, before, limit, milliseconds(KEPT_FOR)
            )
            here = parse_place(answer)
            place = place or here
            entries += (parse_entry(here.epoch, entry) for entry in answer[4])
            if len(answer[4]) < limit or len(entries) >= self._kept_events:
                self._notice(place)
                return Page(place, entries[::-1], reaches=True, complete=True)
            before = "({}-{}".format(*entries[-1].position.at)

    async def compare(self) -> None:
        """Has Redis find out whether it has lost what we know of."""
        await self.read((), after=None)

    def hear(self, message: bytes) -> Entry | None:
        """What was announced on a channel; None for the word that an epoch has begun."""
        entry = parse_message(message)
        self._notice(entry.position)
        return None if entry.event.type == NOBODY else entry

    def _check_bus(self) -> None:
        if not self._bus.connected:
            raise Unavailable("Live events are out of reach for the moment")

    def _notice(self, position: Position) -> None:
        """Remembers the greatest position of all, by which Redis is shown what it has lost."""
        known = self._latest
        if position.epoch != known.epoch:
            self._latest = position
            if known is not UNKNOWN:
                self._on_loss()
        elif position.at > known.at:
            self._latest = position


def merge(position: Position, streams: Sequence[Sequence[Any]]) -> Page:
    """One page out of several streams' entries, as far as all of them are known."""
    read = [[parse_entry(position.epoch, entry) for entry in entries] for entries in streams]
    cut = [entries[-1].position for entries in read if len(entries) == PAGE_EVENTS]
    end = min(cut, default=position)
    entries = sorted(
        (entry for entries in read for entry in entries if entry.position.at <= end.at),
        key=lambda entry: entry.position.at,
    )
    return Page(end, entries, reaches=True, complete=not cut)


def parse_message(message: bytes) -> Entry:
    """What stands in a message on a channel; its type is NOBODY where it is no event."""
    head, _, data = message.partition(b"\n")
    epoch, ms, n, user, kind = head.decode().split(" ")
    return Entry(Position(epoch, (int(ms), int(n))), Event(kind, data, parse_user(user)))


def parse_entry(epoch: str, entry: Any) -> Entry:
    """An entry of a Redis Stream: its id, and its fields."""
    name, (_, user, _, kind, _, data) = entry
    ms, _, n = name.partition(b"-")
    event = Event(kind.decode(), data, parse_user(user.decode()))
    return Entry(Position(epoch, (int(ms), int(n))), event)


def parse_position(answer: Sequence[bytes]) -> Position:
    epoch, ms, n = answer
    return Position(epoch.decode(), (int(ms), int(n)))


def parse_place(answer: Sequence[Any]) -> Position:
    """What a reading script answers with first: a position, and for how long it is quiet."""
    return parse_position(answer[:3])._replace(quiet_for=int(answer[3]))


def parse_user(text: str) -> UUID | None:
    return None if text == NOBODY else UUID(text)


def arguments(position: Position) -> tuple[str, int, int, str]:
    """A position for a script, with an epoch to begin if it comes to that."""
    return (position.epoch, *position.at, secrets.token_hex(EPOCH_BYTES))


def milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
