"""What a stream shows: a user's own events and everybody's, or every event there is."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from myapp.sse.history import Entry
from myapp.sse.keys import Key
from myapp.sse.position import IdSeal, Position
from myapp.sse.wire import encode_event, encode_event_with_user

EVERYBODY = "all"
ADMINISTRATORS = "admin"


@dataclass(frozen=True, slots=True)
class Feed:
    """The streams of history that it is made of, and how its events are written.

    `scopes` are those whose ids a reader may return with, its own first.
    """

    keys: tuple[str, ...]
    scopes: tuple[str, ...]
    encode: Callable[[Entry], bytes]


class Feeds:
    """Makes feeds, and the ids in them."""

    def __init__(self, seal: IdSeal) -> None:
        self._seal = seal

    def of_user(self, user_id: UUID) -> Feed:
        """One user's own events, and those for everybody."""
        return Feed((Key.USER % user_id, Key.ALL), (str(user_id), EVERYBODY), self.encode)

    def of_everything(self) -> Feed:
        """Every event, with whom it is for."""
        return Feed((Key.EVERYTHING,), (ADMINISTRATORS,), self._encode_with_user)

    def id_of(self, feed: Feed, position: Position) -> str:
        """The id of a position at which there need be no event."""
        return self._seal.seal(position, feed.scopes[0])

    def id_of_event(self, entry: Entry) -> str:
        """The id by which its readers know an event, who may be many."""
        user_id = entry.event.user_id
        return self._seal.seal(entry.position, str(user_id) if user_id else EVERYBODY)

    def find(self, feed: Feed, event_id: str) -> Position | None:
        """The position behind an id of that feed, None where it is not one."""
        return self._seal.open(event_id, *feed.scopes)

    def encode(self, entry: Entry) -> bytes:
        return encode_event(entry.event, self.id_of_event(entry))

    def _encode_with_user(self, entry: Entry) -> bytes:
        return encode_event_with_user(entry.event, self._seal.seal(entry.position, ADMINISTRATORS))
