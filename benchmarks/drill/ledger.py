"""What the system has accepted, and every try to have it accepted."""

import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

OPERATIONS = ("sign-in", "notification", "upload", "event", "work")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was accepted: whose it is, and the SHA-256 of its bytes."""

    owner: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody who signed in and then took a name."""

    token: str
    id: str
    name: str


@dataclass
class Ledger:
    """Times are those of time.time().

    `notifications` and `events` are ids (numbers, for events) with the time of their acceptance,
    `told` the same with each time that a stream told of them. `good` holds for each operation when
    a request of its was begun and when it succeeded. `work` are the long jobs, by what they see
    to; `first_tick` is the first one of the cron.
    """

    notifications: dict[str, float] = field(default_factory=dict)
    events: dict[str, float] = field(default_factory=dict)
    work: set[str] = field(default_factory=set)
    first_tick: int = 0
    files: dict[str, Stored] = field(default_factory=dict)
    people: list[Joined] = field(default_factory=list)
    told: dict[str, list[float]] = field(default_factory=dict)
    good: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    resyncs: int = 0
    unexpected: Counter[str] = field(default_factory=Counter)  # answers that no outage excuses

    def record_success(self, operation: str, began: float) -> None:
        self.good.setdefault(operation, []).append((began, time.time()))

    def record_told(self, key: str) -> None:
        self.told.setdefault(key, []).append(time.time())

    def has_worked_since(self, moment: float) -> bool:
        """Whether a request of every operation was begun since then and has succeeded."""
        return all(
            any(began > moment for began, _ in self.good.get(operation, [])[-20:])
            for operation in OPERATIONS
        )

    def longest_gap(self, operation: str, begin: float, end: float, *, usual: float) -> float:
        """The longest time without a success between these moments, beyond the usual one."""
        times = sorted(ended for _, ended in self.good.get(operation, []))
        within = [begin, *(each for each in times if begin <= each <= end), end]
        longest = max(after - before for before, after in pairwise(within))
        return max(0.0, longest - usual)
