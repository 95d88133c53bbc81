"""How much the processes do, from what each says of itself."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from myapp.processes import ProcessState

# What a rate is taken over: some beats of a process, so that it neither jumps nor lags.
WINDOW = timedelta(seconds=6)

Change = tuple[ProcessState, ProcessState]


class Rates:
    """Holds a window of each process. None where nothing, or not enough, is known."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[ProcessState]] = {}

    def observe(self, processes: Sequence[ProcessState]) -> None:
        """Takes note of these, and forgets all others."""
        self._seen = {one.id: self._seen.get(one.id, deque()) for one in processes}
        for process in processes:
            seen = self._seen[process.id]
            if not seen or process.measured_at > seen[-1].measured_at:
                seen.append(process)
            while len(seen) > 2 and seen[1].measured_at <= process.measured_at - WINDOW:
                seen.popleft()

    def of(self, process_id: str, name: str) -> float | None:
        """By how much a number of one process grows in a second."""
        change = self._change(process_id)
        return None if change is None else growth(change, name)

    def total(self, name: str) -> float | None:
        """The same for all processes that have this number."""
        grown = [rate for each in self._changes() if (rate := growth(each, name)) is not None]
        return sum(grown) if grown else None

    def share(self, name: str, of: str) -> float | None:
        """How much one number has grown for each that the other has, over all processes."""
        part = whole = 0
        for before, after in self._changes():
            if getattr(after, of) is not None:
                part += getattr(after, name) - getattr(before, name)
                whole += getattr(after, of) - getattr(before, of)
        return part / whole if whole > 0 else None

    def quantile(self, share: float) -> float | None:
        """Within how many seconds this share of the requests was answered."""
        within: Counter[str] = Counter()
        for before, after in self._changes():
            within.update(after.requests_within)
            within.subtract(before.requests_within)
        return estimate(within, share)

    def _change(self, process_id: str) -> Change | None:
        seen = self._seen.get(process_id)
        return (seen[0], seen[-1]) if seen and len(seen) > 1 else None

    def _changes(self) -> Iterator[Change]:
        return (change for one in self._seen if (change := self._change(one)))


def growth(change: Change, name: str) -> float | None:
    before, after = (getattr(state, name) for state in change)
    if before is None or after is None:
        return None
    seconds = (change[1].measured_at - change[0].measured_at).total_seconds()
    return float(after - before) / seconds


def estimate(within: Mapping[str, int], share: float) -> float | None:
    """A quantile of a histogram, as Prometheus reckons it: evenly spread between two bounds.

    What is over the last bound counts as that bound. None without any requests.
    """
    bounds = sorted((float(bound), count) for bound, count in within.items())
    if not bounds or bounds[-1][1] <= 0:
        return None
    wanted = share * bounds[-1][1]
    below, count_below = 0.0, 0
    for bound, count in bounds:
        if count >= wanted:
            if bound == float("inf"):
                break
            return below + (bound - below) * (wanted - count_below) / max(count - count_below, 1)
        below, count_below = bound, count
    return below
