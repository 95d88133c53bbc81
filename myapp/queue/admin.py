"""Jobs as operators find them, and what they can do about one.

A list is read from the indexes that the queue's scripts keep, in one script and a few
milliseconds, whatever the number of jobs and however deep the page.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis

from myapp.errors import NotFound
from myapp.queue.connection import PATIENCE, within_patience
from myapp.queue.keys import Key
from myapp.queue.records import JobRecord, JobStatus, read_record
from myapp.queue.scripts import Scripts


class JobAction(StrEnum):
    """What an operator does to jobs."""

    RETRY = "retry"
    CANCEL = "cancel"
    DELETE = "delete"

    @property
    def applies_to(self) -> frozenset[JobStatus]:
        """The statuses of the jobs that this can be done to."""
        return APPLIES_TO[self]


APPLIES_TO = {
    JobAction.RETRY: frozenset({JobStatus.FAILED, JobStatus.CANCELLED}),
    JobAction.CANCEL: frozenset({JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.ACTIVE}),
    JobAction.DELETE: frozenset(JobStatus) - {JobStatus.ACTIVE},
}


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs. `q` is a job's key, a task or a request's id exactly.

    Where it is none of these, it is a text that a job's key, task, request, worker, payload,
    result or errors contain, whatever the case of its ASCII letters; then only the newest 1,000
    jobs that match the rest are looked at. Of one request the newest 10,000 are.
    """

    queue: str | None = None
    status: JobStatus | None = None
    task: str | None = None
    q: str | None = None

    @property
    def statuses(self) -> frozenset[JobStatus]:
        return frozenset({self.status} if self.status else JobStatus)

    def matches(self, job: JobRecord) -> bool:
        """Whether a job passes all but `q`."""
        return (
            self.queue in (None, job.queue)
            and job.status in self.statuses
            and self.task in (None, job.task)
        )


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """One page of the jobs that were found, and how many there are in all."""

    jobs: Sequence[JobRecord]
    total: int


@dataclass(frozen=True, slots=True)
class Rows:
    """What a script found: keys with what is stored of the jobs, which may not be asked for."""

    rows: Sequence[tuple[str, dict[str, str]]]
    total: int

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.rows]


class JobBoard:
    """Finds and changes the jobs of these queues. Raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis, queues: Iterable[str]) -> None:
        self.queues = sorted(set(queues))
        self._redis = redis
        self._scripts = Scripts(redis)

    async def get(self, key: str) -> JobRecord:
        """One job. Raises NotFound."""
        async with within_patience(PATIENCE):
            job = await self._read(key)
        if job is None:
            raise NotFound(f"There is no job {key!r}")
        return job

    async def find(self, chosen: JobFilter, *, offset: int, limit: int) -> FoundJobs:
        """A page of the jobs that match, those first that came last into their status."""
        async with within_patience(PATIENCE):
            if job := await self.find_by_key(chosen):
                return FoundJobs([job] if offset == 0 else [], 1)
            found = await self._search(chosen, offset=offset, limit=limit)
        return FoundJobs([read_record(key, stored) for key, stored in found.rows], found.total)

    async def act(self, action: JobAction, key: str) -> JobStatus | None:
        """Does it to one job, if it applies; returns the status that it had, None for no job."""
        before = await self.change(action, [key], among=action.applies_to)
        return before[0]

    async def change(
        self, action: JobAction, keys: Sequence[str], *, among: Iterable[JobStatus]
    ) -> list[JobStatus | None]:
        """Does it to those that have one of these statuses now; returns what each one had."""
        async with within_patience(PATIENCE):
            before = await self._scripts.call("act", action, as_json(among), *keys)
        return [JobStatus(status) if status else None for status in before]

    async def find_by_key(self, chosen: JobFilter) -> JobRecord | None:
        """The job whose key `q` is, if it passes the rest."""
        job = await self._read(chosen.q) if chosen.q else None
        return job if job and chosen.matches(job) else None

    async def find_by_task(self, chosen: JobFilter) -> JobFilter | None:
        """The same filter with `q` for its task, if there are such jobs."""
        if not chosen.q or chosen.task not in (None, chosen.q):
            return None
        by_task = replace(chosen, task=chosen.q, q=None)
        counted = await self._call("find", by_task, "", offset=0, limit=0)
        return by_task if counted.total else None

    async def find_by_text(self, chosen: JobFilter, *, limit: int) -> list[str]:
        """Keys of the jobs of which `q` is the request's id, or a text in them."""
        found = await self._search_text(chosen, offset=0, limit=limit, whole=False)
        return found.keys

    async def _search(self, chosen: JobFilter, *, offset: int, limit: int) -> Rows:
        by_task = await self.find_by_task(chosen)
        if by_task or not chosen.q:
            return await self._call("find", by_task or chosen, "", offset=offset, limit=limit)
        return await self._search_text(chosen, offset=offset, limit=limit)

    async def _search_text(
        self, chosen: JobFilter, *, offset: int, limit: int, whole: bool = True
    ) -> Rows:
        found = Rows((), 0)
        for script in ("find_request", "find"):
            found = await self._call(
                script, chosen, chosen.q or "", offset=offset, limit=limit, whole=whole
            )
            if found.total:
                break
        return found

    async def _call(
        self,
        script: str,
        chosen: JobFilter,
        text: str,
        *,
        offset: int,
        limit: int,
        whole: bool = True,
    ) -> Rows:
        queues = [chosen.queue] if chosen.queue else self.queues
        total, *rows = await self._scripts.call(
            script,
            json.dumps(queues),
            as_json(chosen.statuses),
            chosen.task or "",
            text,
            offset,
            limit,
            "1" if whole else "",
        )
        return Rows([read_row(*row) for row in rows], total)

    async def _read(self, key: str) -> JobRecord | None:
        stored = await self._redis.hgetall(Key.JOB % key)  # type: ignore[misc]  # sync or async, says redis-py
        return read_record(key, stored) if stored else None


def read_row(key: str, parts: Sequence[str]) -> tuple[str, dict[str, Any]]:
    return key, dict(zip(parts[::2], parts[1::2], strict=True))


def as_json(statuses: Iterable[JobStatus]) -> str:
    """In the order of their declaration, so that lists of one filter are all in the same order."""
    wanted = set(statuses)
    return json.dumps([status for status in JobStatus if status in wanted])
