"""Contenders measured in turns, so that a machine that others use is unfair to all alike.

A contender is a function that measures once and answers quantities by name, such as
`{"requests/s": 4600.0, "p99 ms": 12.1}`. A ratio is made within each round, of two measurements
that lie close together, and only then the median is taken: what slows a whole round cancels out.
"""

import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Quantities = Mapping[str, float]
Measure = Callable[[], Quantities]


@dataclass(frozen=True)
class Spread:
    """The median of some values, and the lowest and the highest of them."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{show(self.median)} ({show(self.low)}..{show(self.high)})"


class Rounds:
    """What each contender measured, round by round."""

    def __init__(self) -> None:
        self._rounds: list[dict[str, Quantities]] = []

    def add(self, measured: Mapping[str, Quantities]) -> None:
        """One round, by contender."""
        self._rounds.append(dict(measured))

    @property
    def contenders(self) -> list[str]:
        return list(self._rounds[0])

    @property
    def quantities(self) -> list[str]:
        return list(self._rounds[0][self.contenders[0]])

    def values(self, contender: str, quantity: str) -> list[float]:
        return [measured[contender][quantity] for measured in self._rounds]

    def spread(self, contender: str, quantity: str) -> Spread:
        return spread_of(self.values(contender, quantity))

    def ratio(self, contender: str, to: str, quantity: str) -> Spread:
        """How many times the other's quantity this contender's is."""
        pairs = zip(self.values(contender, quantity), self.values(to, quantity), strict=True)
        return spread_of(own / other for own, other in pairs)


def spread_of(values: Iterable[float]) -> Spread:
    """Raises StatisticsError where there are none."""
    ordered = sorted(values)
    return Spread(statistics.median(ordered), ordered[0], ordered[-1])


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of them (above 0, up to 1) does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def measure_in_turns(contenders: Mapping[str, Measure], rounds: int) -> Rounds:
    """Measures each once a round. Another one begins each time, so that none is always first."""
    names = list(contenders)
    results = Rounds()
    for number in range(rounds):
        first = number % len(names)
        measured = {name: contenders[name]() for name in names[first:] + names[:first]}
        results.add({name: measured[name] for name in names})
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return results


def show(value: float) -> str:
    """Three digits or more: 4,612, 12.1, 0.853."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
