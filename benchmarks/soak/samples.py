"""What is sampled while the soak runs, and whether it levels off."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from tortoise import Tortoise

from benchmarks.drill.fleet import OURS, Fleet
from benchmarks.installation import memory_mib

PROMISED = ("myapp:job:", "myapp:once:", "myapp:events:once:")  # kept for a day
KEYS_AT_ONCE = 1000


@dataclass(frozen=True)
class Allowed:
    """How much a quantity may grow over the second half: a part of its mean, or so many."""

    part: float
    at_least: float


ALLOWED = {
    "memory": Allowed(0.03, 6.0),  # MiB
    "descriptors": Allowed(0.05, 15),
    "keys": Allowed(0.05, 20),
    "rows": Allowed(0.0, 50),
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
        return self.growth <= self.allowed


class Samples:
    """All series."""

    def __init__(self, fleet: Fleet, redis: Redis) -> None:
        self._fleet = fleet
        self._redis = redis
        self.series: dict[str, Series] = {}
        self.promised = Counter[str]()  # keys at the last look, by their prefix

    async def take(self, at: float, *, rows_made: int) -> None:
        """Looks once. `rows_made` are those that the load has made to stay."""
        for name in OURS:
            pid = self._fleet.parts[name].pid
            self._add(f"memory of {name}, MiB", "memory", at, memory_mib(pid))
            self._add(f"descriptors of {name}", "descriptors", at, count_descriptors(pid))
        self._add("keys in Redis, beside what is kept for a day", "keys", at, await self._keys())
        rows = await count_rows() - rows_made
        self._add("rows, beside what was made to stay", "rows", at, rows)

    def _add(self, name: str, kind: str, at: float, value: float) -> None:
        series = self.series.setdefault(name, Series(name, kind, [], []))
        series.times.append(at)
        series.values.append(value)

    async def _keys(self) -> int:
        """Those that are neither an ended job nor a mark with an end."""
        self.promised.clear()
        others = 0
        cursor = -1
        while cursor:
            cursor, names = await self._redis.scan(max(cursor, 0), count=KEYS_AT_ONCE)
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.ttl(name)
                lifetimes = await pipeline.execute()
            for name, lifetime in zip(names, lifetimes, strict=True):
                prefix = next((each for each in PROMISED if name.startswith(each)), None)
                if prefix and (prefix == PROMISED[0] or lifetime >= 0):
                    self.promised[prefix] += 1
                else:
                    others += 1
        return others


def count_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def count_rows() -> int:
    models: Sequence[type] = list(Tortoise.apps["models"].values())
    return sum([await model.all().count() for model in models])  # type: ignore[attr-defined]  # each is a Model
