"""The events that are in memory: the newest ones, and what was there when somebody paused."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from myapp.events import RESYNC, Event
from myapp.sse.watch import Told
from myapp.tui.filters import Filter

KEPT = 1_000
EVERYBODY = "everybody"


@dataclass(slots=True)
class EventLog:
    """In the order in which they came; who looks at it sees the newest first."""

    kept: deque[Told] = field(default_factory=lambda: deque(maxlen=KEPT))
    frozen: Sequence[Told] | None = None

    def take(self, news: Iterable[Told]) -> None:
        """Keeps what is new. Who begins anew after a loss reads again what was here already."""
        known = {told.key for told in self.kept}
        self.kept.extend(told for told in news if told.key not in known)

    def turn(self) -> None:
        """Pauses, or goes on."""
        self.frozen = list(self.kept) if self.frozen is None else None

    def shown(self, wanted: Filter) -> list[Told]:
        source = self.kept if self.frozen is None else self.frozen
        return [told for told in reversed(source) if matches(wanted, told.event)]

    def waiting(self, wanted: Filter) -> int:
        """How many have come since the pause, as far as they are kept."""
        known = {told.key for told in self.frozen or ()}
        return sum(told.key not in known and matches(wanted, told.event) for told in self.kept)

    def find(self, key: str) -> Told | None:
        every = (*self.kept, *(self.frozen or ()))
        return next((told for told in every if told.key == key), None)


def recipient_of(event: Event) -> str:
    return str(event.user_id or EVERYBODY)


def matches(wanted: Filter, event: Event) -> bool:
    """Both fields by how they begin, the text anywhere. That something is missing is never hidden.

    The text is sought in the JSON as it is, which may be long and is read for no other reason.
    """
    if event.type == RESYNC:
        return True
    recipient = recipient_of(event)
    return (
        recipient.startswith(wanted.get("user") or "")
        and event.type.startswith(wanted.get("type") or "")
        and (
            wanted.text in recipient
            or wanted.text in event.type
            or wanted.text.encode() in event.data
        )
    )
