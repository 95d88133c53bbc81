"""What the drill takes for an attempt that a stop has cost."""

import json
from pathlib import Path

from benchmarks.drill.accounting import read_put_back


def write(log: Path, *lines: dict[str, object]) -> None:
    """Each `at` is a second of one minute."""
    times = [f"2026-01-01T00:00:{line.pop('at'):02}Z" for line in lines]
    texts = [json.dumps({"timestamp": at, **line}) for at, line in zip(times, lines, strict=True)]
    log.write_text("\n".join(texts))


def began(at: int, job: str, attempt: int) -> dict[str, object]:
    return {"at": at, "event": "job started", "job": job, "attempt": attempt}


def gave_up(at: int, job: str, why: str) -> dict[str, object]:
    return {"at": at, "event": "job put back", "job": job, "why": why}


def test_a_stop_costs_no_attempt_where_the_next_one_has_the_same_number(tmp_path: Path) -> None:
    write(
        tmp_path / "worker-1.log",
        *(began(1, job, 3) for job in ("same", "charged", "forgotten", "doubted")),
        *(gave_up(20, job, "stopped") for job in ("same", "charged", "forgotten")),
        gave_up(20, "doubted", "doubtful"),
    )
    write(tmp_path / "worker-2.log", began(21, "same", 3), began(22, "charged", 4))

    found = {each.job: each for each in read_put_back(tmp_path)}

    assert {job: each.next for job, each in found.items()} == {
        "same": 3,
        "charged": 4,
        "forgotten": None,
    }
    assert [job for job, each in found.items() if each.is_same] == ["same"]
