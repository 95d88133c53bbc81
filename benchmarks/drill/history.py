"""What our own processes have logged of themselves, read back."""

import json
from collections.abc import Container, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def read_logs(folder: Path, names: str) -> Iterator[Line]:
    """The lines of these logs. The last one of a process that was killed may be half."""
    for log in folder.glob(f"{names}.log"):
        for text in log.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict) and "event" in line:
                    yield line


def moment_of(line: Line) -> float:
    """When it was written, as time.time()."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def under_way(folder: Path, worker: str, *, tasks: Container[str], since: float = 0.0) -> set[str]:
    """The jobs of these tasks that a worker has begun `since` then and said nothing more of."""
    found: set[str] = set()
    for line in read_logs(folder, worker):
        if line["event"] == "worker starts":
            found.clear()
        elif line["event"] == "job started":
            if line["task"] in tasks and moment_of(line) >= since:
                found.add(line["job"])
        elif line["event"].startswith("job "):
            found.discard(line.get("job", ""))
    return found
