"""What is sampled while the soak runs, and whether it levels off."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from tortoise import Tortoise

from benchmarks.drill.fleet import OURS, Fleet
from benchmarks.installation import memory_mib
from benchmarks.soak.keys import look
from myapp.database.outbox import OutboxRow

DONE_SECONDS = 60.0  # for what is under way when the load ends
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Allowed:
    """How much a quantity may grow over the second half: a part of its mean, or so many.

    One that may not `fall` by more than that either is the rest of a subtraction: what is missing
    in it would hide what grows.
    """

    part: float
    at_least: float
    fall: bool = True


ALLOWED = {
    "memory": Allowed(0.03, 6.0),  # MiB
    "descriptors": Allowed(0.05, 15),
    "keys": Allowed(0.05, 20),
    "jobs": Allowed(0.0, 20),
    "Redis": Allowed(0.05, 2.0),  # MiB
    "rows": Allowed(0.0, 50, fall=False),
}


@dataclass
class Series:
    """One quantity over time: `times` are in seconds since the begin of the load."""

    name: str
    kind: str
    times: list[float]
    values: list[float]

    @property
    def growth(self) -> float:
        """Over the second half, by the line that fits it best."""
        half = len(self.times) // 2
        times, values = self.times[half:], self.values[half:]
        return statistics.linear_regression(times, values).slope * (times[-1] - times[0])

    @property
    def allowed(self) -> float:
        limit = ALLOWED[self.kind]
        return max(limit.at_least, limit.part * statistics.fmean(self.values))

    @property
    def is_level(self) -> bool:
        growth = self.growth if ALLOWED[self.kind].fall else abs(self.growth)
        return growth <= self.allowed


class Samples:
    """All series."""

    def __init__(self, fleet: Fleet, redis: Redis) -> None:
        self._fleet = fleet
        self._redis = redis
        self.series: dict[str, Series] = {}
        self.promised = Counter[str]()  # keys at the last look, by their prefix
        self.unfinished = 0  # jobs, and rows on their way to Redis, after the load

    async def take(self, at: float, *, rows_made: int) -> None:
        """Looks once. `rows_made` are those that the load has made to stay."""
        for name in OURS:
            pid = self._fleet.parts[name].pid
            self._add(f"memory of {name}, MiB", "memory", at, memory_mib(pid))
            self._add(f"descriptors of {name}", "descriptors", at, count_descriptors(pid))
        holding = await look(self._redis)
        self.promised = holding.promised
        self._add("keys in Redis, beside what is kept for a day", "keys", at, holding.others)
        self._add("memory of Redis, beside that, MiB", "Redis", at, holding.memory)
        self._add("jobs that have not ended", "jobs", at, holding.unfinished)
        rows = await count_rows() - rows_made
        self._add("rows, beside what was made to stay", "rows", at, rows)

    def _add(self, name: str, kind: str, at: float, value: float) -> None:
        series = self.series.setdefault(name, Series(name, kind, [], []))
        series.times.append(at)
        series.values.append(value)

    async def finish(self, within: float = DONE_SECONDS) -> None:
        """Waits so many seconds at most until nothing is left to do, and keeps how much is."""
        deadline = time.monotonic() + within
        while True:
            rows = await OutboxRow.all().count()
            self.unfinished = rows + (await look(self._redis)).unfinished
            if not self.unfinished or time.monotonic() > deadline:
                return
            await asyncio.sleep(LOOK_SECONDS)


def count_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def count_rows() -> int:
    models: Sequence[type] = list(Tortoise.apps["models"].values())
    return sum([await model.all().count() for model in models])  # type: ignore[attr-defined]  # each is a Model
