"""What a measurement was made on."""

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("quart", "uvicorn", "uvloop", "tortoise-orm", "redis", "saq", "pydantic")
LOOK_SECONDS = 1.0  # how long the processors are watched


@dataclass(frozen=True)
class Machine:
    """Named so that somebody else can tell whether their numbers should be alike.

    `free_cores` is what other programs left of the processors just before the measurement.
    """

    processor: str
    cores: int
    free_cores: float
    memory_gib: float
    kernel: str
    python: str
    packages: dict[str, str]
    revision: str

    def describe(self) -> str:
        return (
            f"{self.processor}, {self.cores} cores ({self.free_cores:.1f} free at the beginning), "
            f"{self.memory_gib:.1f} GiB, {self.kernel}, Python {self.python}, "
            f"revision {self.revision}"
        )


def look_at_machine(packages: Sequence[str] = ()) -> Machine:
    """This machine now, with the versions of our main packages and of these."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        processor=name_processor(),
        cores=cores or 1,
        free_cores=round(count_free_cores(cores or 1), 1),
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: version(name) for name in dict.fromkeys((*PACKAGES, *packages))},
        revision=name_revision(),
    )


def name_processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def count_free_cores(cores: int) -> float:
    """How many cores had nothing to do for a moment; away from Linux by the load average."""
    try:
        before = read_idle_seconds()
        time.sleep(LOOK_SECONDS)
        return min(cores, (read_idle_seconds() - before) / LOOK_SECONDS)
    except OSError:
        return max(0.0, cores - os.getloadavg()[0])


def read_idle_seconds() -> float:
    """Seconds that all processors together have been idle."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def name_revision() -> str:
    """The commit of this checkout, with a mark where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
