"""Queues, workers and runs of crons as operators see them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio import Redis
from uuid_utils import uuid7

from myapp.errors import NotFound
from myapp.queue.client import JobQueue, new_job
from myapp.queue.connection import PATIENCE, within_patience
from myapp.queue.liveness import Timings
from myapp.queue.records import JobStatus, read_time
from myapp.queue.scripts import Scripts
from myapp.queue.store import COMPLETE_MAX, write_job
from myapp.queue.tasks import Cron


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue: its jobs by status, and how it keeps up.

    `latency_seconds` is the age of the oldest waiting job, 0 without any. The numbers a minute
    count what ended in the last one, complete or failed; where more complete jobs came than are
    kept, they are reckoned from the time that those took.
    """

    name: str
    paused: bool
    counts: Mapping[JobStatus, int]
    latency_seconds: float
    processed_per_minute: int
    failed_per_minute: int


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a worker runs, and since when."""

    key: str
    task: str
    queue: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker that lives: how it describes itself, and what it runs, the longest running first.

    It was heard of `silent_seconds` ago, by the clock of Redis.
    """

    record: Mapping[str, Any]
    running: Sequence[RunningJob]
    silent_seconds: float


class QueueBoard:
    """Shows and pauses queues, and shows workers. Raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis, queues: Iterable[str]) -> None:
        self._queues = sorted(set(queues))
        self._queue = JobQueue(redis)
        self._scripts = Scripts(redis)

    async def list_all(self) -> list[QueueState]:
        """All queues, by name."""
        return await self._read(self._queues)

    async def get(self, name: str) -> QueueState:
        """One queue. Raises NotFound."""
        self._check(name)
        return (await self._read([name]))[0]

    async def pause(self, name: str) -> None:
        """From now on no worker starts anything new from this queue. Raises NotFound."""
        self._check(name)
        await self._queue.pause(name)

    async def resume(self, name: str) -> None:
        """Ends a pause; workers see it within a second. Raises NotFound."""
        self._check(name)
        await self._queue.resume(name)

    async def workers(self) -> Sequence[WorkerState]:
        """The workers that were heard of within a lease, the longest at work first."""
        async with within_patience(PATIENCE):
            rows = await self._scripts.call("workers", round(Timings().lease * 1000))
        found = [read_worker(*row) for row in rows]
        return sorted(found, key=lambda worker: (worker.record["started_at"], worker.record["id"]))

    def _check(self, name: str) -> None:
        if name not in self._queues:
            raise NotFound(f"There is no queue {name!r}")

    async def _read(self, names: Sequence[str]) -> list[QueueState]:
        async with within_patience(PATIENCE):
            rows = await self._scripts.call("survey", json.dumps(names), COMPLETE_MAX, *JobStatus)
        return [read_queue(name, row) for name, row in zip(names, rows, strict=True)]


def read_queue(name: str, row: Sequence[Any]) -> QueueState:
    paused, age, processed, failed, *counts = row
    return QueueState(
        name=name,
        paused=bool(paused),
        counts=dict(zip(JobStatus, counts, strict=True)),
        latency_seconds=max(age, 0) / 1000,
        processed_per_minute=int(processed),
        failed_per_minute=int(failed),
    )


def read_worker(record: str, silence: int, *jobs: Sequence[str]) -> WorkerState:
    running = [RunningJob(key, task, queue, read_time(began)) for key, task, queue, began in jobs]
    running.sort(key=lambda job: (job.started_at, job.key))
    return WorkerState(json.loads(record), running, max(silence, 0) / 1000)


async def run_cron(redis: Redis, cron: Cron[Any], *, request_id: str | None) -> str:
    """Queues a cron's task now, beside its ticks, also while it is paused; the job's key."""
    key = f"cron:{cron.name}:{uuid7()}"
    fields = write_job(new_job(cron.task, cron.payload, key=key), cron.task.queue)
    async with within_patience(PATIENCE):
        await Scripts(redis).call("run_cron", cron.name, key, request_id or "", *fields)
    return key
