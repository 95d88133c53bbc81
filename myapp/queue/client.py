"""The queue as the rest of the program sees it: queue a task, look at a job, cancel it, pause."""

import re
from dataclasses import replace
from typing import Any, TypeVar

from redis.asyncio import Redis
from structlog.contextvars import get_contextvars
from uuid_utils import uuid7

from myapp.errors import Invalid, NotFound
from myapp.queue.connection import PATIENCE, within_patience
from myapp.queue.keys import Key
from myapp.queue.records import JobRecord, JobStatus, read_record
from myapp.queue.scripts import Scripts
from myapp.queue.store import JobStore, StoredJob
from myapp.queue.tasks import Payload, Task

PayloadT = TypeVar("PayloadT", bound=Payload)
JOB_KEY = re.compile(r"[!-~]{1,200}")


class JobQueue:
    """Every method raises Unavailable within `patience` seconds when Redis is away."""

    def __init__(self, redis: Redis, *, patience: float = PATIENCE) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._patience = patience
        self._stores: dict[str, JobStore] = {}

    async def enqueue(
        self,
        task: Task[PayloadT],
        payload: PayloadT,
        *,
        key: str | None = None,
        once: bool = False,
        delay: float = 0.0,
        request_id: str | None = None,
    ) -> str:
        """Queues a job, due in `delay` seconds, and returns its key.

        While a job of this key has not ended, nothing is added; with `once` also for 24 hours
        after its end, so that who cannot know whether a job was queued may queue it again. What
        failed or was cancelled under this key leaves its newest 20 errors to the new job. The
        request id is the present one unless given. Raises Invalid for a payload of another task
        and for a key that is not 1 to 200 printable ASCII characters without spaces.
        """
        if type(payload) is not task.payload:
            raise Invalid(f"{task.name} takes {task.payload.__name__}")
        if key is not None and not JOB_KEY.fullmatch(key):
            raise Invalid("A job's key is 1 to 200 printable ASCII characters without spaces")
        job = replace(
            new_job(task, payload, key=key or str(uuid7())),
            once=once,
            delay=delay,
            request_id=request_id or get_contextvars().get("request_id"),
        )
        async with within_patience(self._patience):
            await self._store(task.queue).enqueue(job)
        return job.key

    async def get(self, key: str) -> JobRecord:
        """One job. Raises NotFound."""
        async with within_patience(self._patience):
            stored = await self._redis.hgetall(Key.JOB % key)  # type: ignore[misc]  # sync or async, says redis-py
        if not stored:
            raise NotFound(f"There is no job {key!r}")
        return read_record(key, stored)

    async def cancel(self, key: str) -> JobStatus:
        """Cancels a job that has not ended; returns its status now. Raises NotFound.

        A running job stays `active` until its worker has stopped it, within seconds.
        """
        async with within_patience(self._patience):
            status = await self._scripts.call("cancel", key)
        if status is None:
            raise NotFound(f"There is no job {key!r}")
        return JobStatus(status)

    async def pause(self, queue: str) -> None:
        """From now on no worker starts anything new from this queue."""
        async with within_patience(self._patience):
            await self._redis.sadd(Key.PAUSED, queue)  # type: ignore[misc]  # sync or async, says redis-py

    async def resume(self, queue: str) -> None:
        """Ends a pause; workers see it within a second."""
        async with within_patience(self._patience):
            await self._redis.srem(Key.PAUSED, queue)  # type: ignore[misc]  # sync or async, says redis-py

    async def paused(self) -> frozenset[str]:
        """The names of the queues that are paused."""
        async with within_patience(self._patience):
            return frozenset(await self._redis.smembers(Key.PAUSED))  # type: ignore[misc]  # sync or async, says redis-py

    def _store(self, queue: str) -> JobStore:
        if queue not in self._stores:
            self._stores[queue] = JobStore(self._redis, queue)
        return self._stores[queue]


def new_job(task: Task[Any], payload: Payload, *, key: str) -> StoredJob:
    """A job with its task's policy, which it keeps when the task's changes."""
    return StoredJob(
        function=task.name,
        kwargs={"payload": payload.model_dump_json()},
        key=key,
        timeout=round(task.timeout),
        retries=task.attempts,
        ttl=round(task.keep.total_seconds()),
        ttl_failed=round(task.keep_failed.total_seconds()),
    )
