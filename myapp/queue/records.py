"""A job as Redis keeps it and as operators see it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class JobStatus(StrEnum):
    """Where a job stands. `scheduled` waits for its time, `queued` for a worker."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    ACTIVE = "active"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobError:
    """What went wrong with one attempt: the last lines of its traceback."""

    attempt: int
    at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. Times are in UTC; `worker` is the id of the one that runs it, or ran it last."""

    key: str
    task: str
    queue: str
    status: JobStatus
    payload: Any
    attempts: int
    max_attempts: int
    errors: tuple[JobError, ...]
    result: Any
    request_id: str | None
    worker: str | None
    enqueued_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


def read_record(key: str, stored: Mapping[str, str]) -> JobRecord:
    """The record in a job's hash."""
    return JobRecord(
        key=key,
        task=stored["task"],
        queue=stored["queue"],
        status=JobStatus(stored["status"]),
        payload=json.loads(stored["payload"]),
        attempts=int(stored["attempts"]),
        max_attempts=int(stored["max_attempts"]),
        # As the scripts part them: `splitlines` would also part at what an error may have in it.
        errors=tuple(read_error(line) for line in stored.get("errors", "").split("\n") if line),
        result=json.loads(stored.get("result", "null")),
        request_id=stored.get("request_id"),
        worker=stored.get("worker"),
        enqueued_at=read_time(stored["enqueued_at"]),
        scheduled_at=read_time(stored["scheduled_at"]) if "scheduled_at" in stored else None,
        started_at=read_time(stored["started_at"]) if "started_at" in stored else None,
        finished_at=read_time(stored["finished_at"]) if "finished_at" in stored else None,
    )


def read_time(milliseconds: str | float) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def read_error(line: str) -> JobError:
    entry = json.loads(line)
    return JobError(entry["attempt"], read_time(entry["at"]), entry["error"])
