"""SAQ's queue on our scripts: the same jobs and calls, and no step that can be half done.

SAQ's own Redis queue takes a job, marks it active, ends it and rescues it in several commands
each; whatever dies in between loses or doubles the job. SAQ lets others store its jobs (it has
queues on PostgreSQL and HTTP), and this is ours.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from secrets import randbits
from typing import Any

from pydantic_core import to_json
from redis.asyncio import Redis
from saq.job import Job, Status
from saq.queue import Queue

from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.queue.scripts import Scripts

COMPLETE_MAX = 10_000
# Drawn by lot, since whatever counts in Redis counts anew after a failover, or for a job that has
# an earlier one's key. An integer, since workers of earlier releases add 1 to it.
CLAIM_BITS = 62
ERROR_CHARACTERS = 4000
RESULT_CHARACTERS = 65_536
NOT_SHOWN = "<it cannot be shown>"
OUR_STATUS = {
    Status.COMPLETE: JobStatus.COMPLETE,
    Status.FAILED: JobStatus.FAILED,
    Status.ABORTED: JobStatus.CANCELLED,
}


class JobLost(Exception):  # an event, not a fault of the program
    """The job is no longer its worker's: it was rescued while the worker seemed dead."""


@dataclass(eq=False)  # SAQ compares and hashes jobs by their keys
class StoredJob(Job):
    """SAQ's job and what ours has beyond it: `delay` is in seconds, until it is due.

    `ttl` and `ttl_failed` are how long it is kept when it has ended. `claim` is a number of the
    one time that it was taken: what a former holder says of it is not heard.
    """

    delay: float = 0.0
    once: bool = False
    request_id: str | None = None
    ttl_failed: int = 0
    claim: int = 0

    @property
    def payload(self) -> str:
        """The payload's JSON. One argument: SAQ keeps those that are named like its own fields."""
        return str((self.kwargs or {})["payload"])


def write_job(job: StoredJob, queue: str) -> list[str | int]:
    """A new job as fields and values for its hash. The scripts add what changes."""
    fields: dict[str, str | int] = {
        "queue": queue,
        "task": job.function,
        "payload": job.payload,
        "max_attempts": job.retries,
        "keep": job.ttl * 1000,
        "keep_failed": job.ttl_failed * 1000,
    }
    return [part for pair in fields.items() for part in pair]


def ours(job: Job) -> StoredJob:
    if not isinstance(job, StoredJob):
        raise TypeError("this queue takes jobs that its client made")
    return job


def refuse(*_: Any, **__: Any) -> Any:
    raise NotImplementedError("our scripts do this in another way")


class JobStore(Queue):
    """One queue of SAQ, whose every change of a job is one script."""

    def __init__(self, redis: Redis, name: str, *, complete_max: int = COMPLETE_MAX) -> None:
        super().__init__(name, dump=None, load=None)
        self._redis = redis
        self._scripts = Scripts(redis)
        self._complete_max = complete_max

    async def claim(
        self, worker: str, *, known: int, limit: int = 1
    ) -> tuple[str, list[StoredJob]]:
        """Takes the next jobs for a worker that knows of so many it holds from this queue.

        The word says what came of it: `job`, `empty`, `paused`, `again`, `adrift` (reconcile
        first) or `stranger` (the worker is no member, or no longer).
        """
        claim = randbits(CLAIM_BITS)
        word, *jobs = await self._scripts.call("claim", self.name, worker, known, limit, claim)
        return word, [
            self._read(key, dict(zip(parts[::2], parts[1::2], strict=True))) for key, *parts in jobs
        ]

    def _read(self, key: str, stored: Mapping[str, str]) -> StoredJob:
        return StoredJob(
            function=stored["task"],
            kwargs={"payload": stored["payload"]},
            queue=self,
            key=key,
            retries=int(stored["max_attempts"]),
            attempts=int(stored["attempts"]),
            started=int(stored["started_at"]),
            status=Status.ACTIVE,
            worker_id=stored["worker"],
            request_id=stored.get("request_id"),
            claim=int(stored["claim"]),
        )

    async def wait(self, seconds: float) -> None:
        """Returns when a job is there to be claimed, or after so long.

        Moves the list's head to where it is: the one blocking command that takes nothing.
        """
        waiting = Key.WAITING % self.name
        await self._redis.execute_command("BLMOVE", waiting, waiting, "LEFT", "LEFT", seconds)  # type: ignore[no-untyped-call]  # so in redis-py

    async def reconcile(self, worker: str, known: Iterable[str]) -> int:
        """Puts back what the worker holds without knowing, since an answer was lost."""
        return int(await self._scripts.call("reconcile", self.name, worker, *known))

    async def put_back(self, job: StoredJob) -> None:
        """To the front of the queue, without counting the attempt. Raises JobLost."""
        await self._change("put_back", job)

    async def trim(self, *, limit: int = 500) -> None:
        """Forgets ended jobs whose time is over, in steps that keep nobody waiting."""
        while await self._scripts.call("trim", self.name, self._complete_max, limit) >= limit:
            pass

    async def _enqueue(self, job: Job) -> Job | None:
        job = ours(job)
        once = "1" if job.once else ""
        delay = int(job.delay * 1000)
        fields = write_job(job, self.name)
        answer = await self._scripts.call(
            "enqueue", job.key, delay, job.request_id or "", once, *fields
        )
        return job if answer else None

    async def _finish(
        self, job: Job, status: Status, *, result: Any = None, error: str | None = None
    ) -> None:
        await self._change(
            "finish",
            job,
            OUR_STATUS[status],
            write_result(result),
            shorten(error),
            self._complete_max,
        )

    async def _retry(self, job: Job, error: str | None) -> None:
        await self._change("retry", job, shorten(error), int(ours(job).delay * 1000))

    async def _change(self, script: str, job: Job, *args: str | int) -> None:
        if not await self._scripts.call(script, job.key, ours(job).claim, *args):
            raise JobLost(job.key)

    # What SAQ asks of a queue, and nothing here may do in SAQ's way.
    abort = count = dequeue = disconnect = info = iter_jobs = job = jobs = refuse
    sweep = write_worker_info = _update = refuse


def shorten(error: str | None) -> str:
    """The end of a traceback says most. Redis takes no half characters."""
    return (error or "")[-ERROR_CHARACTERS:].encode(errors="backslashreplace").decode()


def show(value: object, by: Callable[[object], str] = str) -> str:
    """What `by` says of a value, or that it says nothing: the value's own code may raise."""
    try:
        return by(value)
    except Exception:  # noqa: BLE001  # whatever that code raises
        return NOT_SHOWN


def write_result(result: object) -> str:
    """A result as JSON, however odd it is: a job that is done must not fail for its answer."""
    if result is None:
        return ""
    try:
        text = to_json(result, fallback=str).decode()
    except Exception:  # noqa: BLE001  # code of its own is asked for its text
        text = json.dumps(show(result, repr))
    if len(text) <= RESULT_CHARACTERS:
        return text
    return json.dumps(f"A result of {len(text)} characters was not kept")
