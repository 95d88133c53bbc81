"""What is done to the parts, in which order, and when the system works again."""

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drill.feature import TOIL, WORK
from benchmarks.drill.fleet import SCHEDULERS, WORKERS, Fleet
from benchmarks.drill.history import under_way
from benchmarks.drill.ledger import Ledger

LASTING_SECONDS = {
    "killed": (0.2, 2.0),
    "paused": (2.0, 6.0),
    "frozen": (18.0, 20.0),  # longer than a worker's lease: others take its jobs, then it goes on
    "full": (3.0, 5.0),
}
CALM_SECONDS = (0.5, 1.5)  # between two faults
RECOVERY_SECONDS = 40.0
DISK_BYTES = 400 * 1024 * 1024
BUSY_SECONDS = 40.0  # for a worker to have something under way that a fault can hit
FRESH_SECONDS = 7.0  # toil begun no longer ago than this is under way when a stop's grace ends
UNHARMED = {"store"}  # it takes twenty seconds to start, and its gateway stands for it


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with some parts at once."""

    deed: str  # "killed", "paused", "frozen" (a long pause), "stopped" (as by a platform), "full"
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' and '.join(self.parts)} {self.deed}"


@dataclass
class Suffered:
    """A fault that was injected: when its cause came, when it was gone, and when all worked.

    `caught` are the long jobs that were under way in its workers; None where it had none. Of a
    stop they are those that it cannot wait for; `wrong` is what it ended with other than well.
    """

    fault: Fault
    began: float
    caught: frozenset[str] | None = None
    ended: float = 0.0
    recovered: float | None = None
    wrong: Sequence[str] = ()


def plan(fleet: Fleet, dice: random.Random, *, with_disk: bool) -> Iterator[Fault]:
    """Every part killed and paused once, in some order; then two at a time, for ever.

    Among the first are one worker that is taken for dead, one that is told to stop, and a time
    without any scheduler.
    """
    names = [name for name in fleet.parts if name not in UNHARMED]
    single = [Fault(deed, (name,)) for deed in ("killed", "paused") for name in names]
    single += [Fault("full", ("disk",))] if with_disk else []
    single += [Fault(deed, (dice.choice(WORKERS),)) for deed in ("frozen", "stopped")]
    single += [Fault("paused", SCHEDULERS)]
    dice.shuffle(single)
    yield from single
    while True:
        yield Fault(dice.choice(("killed", "paused")), tuple(dice.sample(names, 2)))


async def inject_all(
    fleet: Fleet, ledger: Ledger, faults: Iterator[Fault], dice: random.Random, *, until: float
) -> list[Suffered]:
    """One fault after the other, each when the one before is over; until a time of time.time()."""
    suffered: list[Suffered] = []
    for fault in faults:
        await asyncio.sleep(dice.uniform(*CALM_SECONDS))
        if time.time() > until:
            break
        caught = await await_work(fleet, fault)
        each = Suffered(fault, began=time.time(), caught=caught)
        suffered.append(each)
        each.wrong = await inject(fleet, fault, dice)
        each.ended = time.time()
        each.recovered = await recovery(ledger, each.ended)
        lasted = "never" if each.recovered is None else f"{each.recovered - each.began:.1f} s"
        print(f"{time.strftime('%H:%M:%S')} {fault}, well again after {lasted}", flush=True)
    return suffered


async def inject(fleet: Fleet, fault: Fault, dice: random.Random) -> Sequence[str]:
    """Returns when the cause is gone; the effects may last. What was wrong with a stop."""
    wrong: Sequence[str] = ()
    if fault.deed == "full":
        await fill(fleet.data, dice.uniform(*LASTING_SECONDS["full"]))
    elif fault.deed == "stopped":
        wrong = await asyncio.to_thread(fleet.stop_well, fault.parts)
        for name in fault.parts:
            fleet.parts[name].start()
    else:
        await take_away(fleet, fault, dice.uniform(*LASTING_SECONDS[fault.deed]))
    return wrong


async def take_away(fleet: Fleet, fault: Fault, seconds: float) -> None:
    parts = [fleet.parts[name] for name in fault.parts]
    for part in parts:
        part.kill() if fault.deed == "killed" else part.pause()
    await asyncio.sleep(seconds)
    for part in parts:
        part.start() if fault.deed == "killed" else part.resume()


async def await_work(fleet: Fleet, fault: Fault) -> frozenset[str] | None:
    """The long jobs that a fault of workers will hit, as soon as each of them has some."""
    workers = [name for name in fault.parts if name in WORKERS]
    if not workers:
        return None
    found = [find_work(fleet, name, fault) for name in workers]
    end = time.monotonic() + BUSY_SECONDS
    while not all(found) and time.monotonic() < end:
        await asyncio.sleep(0.1)
        found = [find_work(fleet, name, fault) for name in workers]
    return frozenset().union(*found) if all(found) else frozenset()


def find_work(fleet: Fleet, worker: str, fault: Fault) -> set[str]:
    if fault.deed == "stopped":
        since = time.time() - FRESH_SECONDS
        return under_way(fleet.folder, worker, tasks={TOIL.name}, since=since)
    return under_way(fleet.folder, worker, tasks={WORK.name, TOIL.name})


async def recovery(ledger: Ledger, since: float) -> float | None:
    """When every operation has worked again; None if that takes too long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(RECOVERY_SECONDS):
            while not ledger.has_worked_since(since):  # noqa: ASYNC110  # senders set no event
                await asyncio.sleep(0.05)
            return time.time()
    return None


async def fill(folder: Path, seconds: float) -> None:
    """Not a byte is free in the folder's file system for so long."""
    filler = folder / "filler"
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:  # what others free meanwhile is taken too
            await asyncio.to_thread(take_all, filler)
            await asyncio.sleep(0.1)
    finally:
        filler.unlink(missing_ok=True)


def take_all(filler: Path) -> None:
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(min(1024 * 1024, max(4096, shutil.disk_usage(filler).free))))


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own at `folder`, where this user may mount one; whether it is."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "tmpfs", str(folder)]
    mounted = False
    with suppress(OSError):
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
