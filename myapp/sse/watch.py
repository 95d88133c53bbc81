"""Every event there is, for who watches from within the process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from myapp.bus import MessageBus, Unsubscribe
from myapp.events import RESYNC, Event
from myapp.sse.feed import Feeds
from myapp.sse.history import Entry, History
from myapp.sse.keys import Key
from myapp.sse.position import Position


@dataclass(frozen=True, slots=True)
class Told:
    """An event, when it was told by the clock of Redis, and the id by which its readers know it.

    `key` stays the same however often it is read. One of the type `resync` was told to nobody: it
    says that events before it are missing here.
    """

    key: str
    id: str
    at: datetime
    event: Event


class Watch:
    """What history has, and then what happens: page by page, in order, each event once.

    It holds nothing: it remembers where it is, and asks again after whatever went wrong. Where
    history does not reach back to that any more, it says `resync` and begins anew.
    """

    def __init__(
        self, history: History, feeds: Feeds, bus: MessageBus, on_news: Callable[[], None]
    ) -> None:
        """`on_news` is called with every event that happens while this listens."""
        self._history = history
        self._feeds = feeds
        self._bus = bus
        self._on_news = on_news
        self._at: Position | None = None
        self._is_behind = True
        self._unsubscribe: Unsubscribe | None = None

    @property
    def is_behind(self) -> bool:
        """Whether there was more than the last page had. `on_news` is not called for that again."""
        return self._is_behind

    async def read(self) -> Sequence[Told]:
        """The next page, the oldest first; empty when there is no more for now. Raises Unavailable.

        The first page is as much of the newest as history promises to keep.
        """
        if self._at is None:
            page = await self._history.newest(Key.EVERYTHING)
        else:
            page = await self._history.read((Key.EVERYTHING,), after=self._at)
        self._is_behind = not (page.complete and page.reaches)
        if not page.reaches:
            self._at = None
            return [resync(page.position)]
        self._at = page.position
        return [self._tell(entry) for entry in page.entries]

    async def listen(self) -> None:
        """Has `on_news` called from now on, whether Redis is there or comes back later."""
        if self._unsubscribe is None:
            self._unsubscribe = await self._bus.subscribe(Key.EVERYTHING, self._hear)

    def rest(self) -> None:
        """Ends what `listen` began. Nothing is missed by that: `read` goes on where it was."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _hear(self, _message: bytes) -> None:
        self._on_news()

    def _tell(self, entry: Entry) -> Told:
        milliseconds, number = entry.position.at
        return Told(
            key=f"{milliseconds}-{number}",
            id=self._feeds.id_of_event(entry),
            at=moment_of(milliseconds),
            event=entry.event,
        )


def resync(position: Position) -> Told:
    at = position.at[0] + position.quiet_for
    return Told(key=f"{RESYNC}-{at}", id="", at=moment_of(at), event=Event(RESYNC, b"{}"))


def moment_of(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
