"""The metrics of several processes, told by any of them.

Each process keeps a file of what it has measured, and writes it anew before it answers for all:
whatever was told is on disk, so that no counter ever goes back, also when a process was killed.
Who takes the place of another goes on from its file. In front of prometheus_client's own means for
several processes this one has every collector (its memory-mapped files know no collectors, and so
neither memory nor the database's connections), costs nothing where something is counted, and
leaves alone how metrics are made.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Metric

from myapp.until import end

BEAT_SECONDS = 2.0
FRESH_SECONDS = 10.0  # what a process says of its present state holds for so long
ADDS_UP = frozenset({"counter", "histogram", "summary"})

Sample = tuple[str, dict[str, str], float]
Family = tuple[str, str, str, list[Sample]]  # name, documentation, type, samples


class SharedRegistry(CollectorRegistry):
    """The metrics of one process, which is asked for those of all that share its folder.

    What adds up is summed, also with what former processes counted. What is the state of one
    process has its number as the label `process`.
    """

    def __init__(self, folder: Path, *, number: int) -> None:
        super().__init__()
        self._folder = folder
        self._number = str(number)
        self._file = folder / f"{number}.json"
        self._former = list(read(self._file, fresh_after=float("inf")))

    def collect(self) -> Iterator[Metric]:
        """The metrics of all processes."""
        self.write()
        fresh_after = time.monotonic() - FRESH_SECONDS
        files = sorted(self._folder.glob("*.json"))
        for name, text, kind, samples in add_up(
            family for file in files for family in read(file, fresh_after=fresh_after)
        ):
            metric = Metric(name, text, kind)
            for sample in samples:
                metric.add_sample(*sample)
            yield metric

    def write(self) -> None:
        """Puts down what this process has measured; the file is there as a whole or as it was."""
        families = add_up([*self._former, *self._measure()])
        # All processes of a machine have the same monotonic clock.
        content = json.dumps({"at": time.monotonic(), "families": list(families)})
        draft = self._file.with_suffix(".new")
        with suppress(OSError):  # a full disk; the next time may find room
            draft.write_text(content)
            draft.replace(self._file)

    def _measure(self) -> Iterator[Family]:
        for metric in super().collect():
            own = {} if metric.type in ADDS_UP else {"process": self._number}
            samples = [(one.name, one.labels | own, one.value) for one in metric.samples]
            yield metric.name, metric.documentation, metric.type, samples

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Writes every few seconds, so that others can tell it, and at the end."""
        writing = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            await end(writing)
            self.write()

    async def _keep(self) -> None:
        while True:
            self.write()
            await asyncio.sleep(BEAT_SECONDS)


def read(file: Path, *, fresh_after: float) -> Iterator[Family]:
    """What a process has written; its states only if that was after this time."""
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return
    for name, text, kind, samples in content["families"]:
        if kind in ADDS_UP or content["at"] > fresh_after:
            yield name, text, kind, samples


def add_up(families: Iterable[Family]) -> Iterator[Family]:
    """One family of each name; samples of the same name and labels are summed."""
    heads: dict[str, tuple[str, str]] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = defaultdict(dict)
    for name, text, kind, samples in families:
        heads[name] = (text, kind)
        for sample, labels, value in samples:
            key = (sample, tuple(labels.items()))
            sums[name][key] = combine(sample, sums[name].get(key), value)
    for name, (text, kind) in heads.items():
        yield name, text, kind, [(key[0], dict(key[1]), sums[name][key]) for key in sums[name]]


def combine(sample: str, one: float | None, other: float) -> float:
    if one is None:
        return other
    # A time, the only sample of these kinds that counts nothing.
    return min(one, other) if sample.endswith("_created") else one + other
