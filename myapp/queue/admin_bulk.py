"""One action on all jobs that match, in chunks between which Redis serves others.

What matches is what has its status since before a certain time: a job that is retried and fails
again is not retried for ever.
"""

import math
import time
from collections.abc import AsyncIterator, Container, Iterator, Sequence
from dataclasses import dataclass, replace

from redis.asyncio import Redis

from myapp.queue.admin import JobAction, JobBoard, JobFilter
from myapp.queue.connection import PATIENCE, within_patience
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus

CHUNK = 500  # jobs that one script changes, in some milliseconds
MOST_FOUND = 10_000  # as many as a request's id or a text finds


@dataclass(frozen=True, slots=True)
class Selection:
    """What a filter comes to: these keys, or all jobs that stand in its indexes.

    It is settled once: a text that named a task must not be searched for when its last job is gone.
    """

    chosen: JobFilter
    keys: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How many jobs were changed, and whether those were all."""

    done: int
    finished: bool


class BulkActions:
    """Counts and changes many jobs. Raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis, board: JobBoard) -> None:
        self._redis = redis
        self._board = board

    async def now(self) -> int:
        """The clock of Redis, which the times of jobs are by, in milliseconds."""
        async with within_patience(PATIENCE):
            seconds, microseconds = await self._redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def select(self, action: JobAction, chosen: JobFilter) -> Selection:
        """Which jobs match; what `q` stands for is decided here.

        Where that is keys, those of jobs that the action does not apply to now are left out.
        """
        rest = replace(chosen, q=None)
        async with within_patience(PATIENCE):
            if not chosen.q:
                return Selection(rest)
            if job := await self._board.find_by_key(chosen):
                keys = [job.key]
            elif by_task := await self._board.find_by_task(chosen):
                return Selection(by_task)
            else:
                keys = await self._board.find_by_text(chosen, limit=MOST_FOUND)
            statuses = await self._statuses(keys)
        among = action.applies_to & chosen.statuses
        fitting = [key for key, status in zip(keys, statuses, strict=True) if status in among]
        return Selection(rest, fitting)

    async def count(self, action: JobAction, selection: Selection, *, until: int) -> int:
        """How many of these the action applies to; `until` is as by `now`."""
        among = action.applies_to & selection.chosen.statuses
        async with within_patience(PATIENCE):
            if selection.keys is not None:
                return sum(status in among for status in await self._statuses(selection.keys))
            pipeline = self._redis.pipeline(transaction=False)
            for index, _ in self._indexes(selection.chosen, among):
                pipeline.zcount(index, "-inf", until)
            return sum(await pipeline.execute())

    async def _statuses(self, keys: Sequence[str]) -> Sequence[str | None]:
        """What each job's status is, None where there is no such job any more."""
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.hget(Key.JOB % key, "status")
        return await pipeline.execute()

    async def run(
        self, action: JobAction, selection: Selection, *, until: int, seconds: float
    ) -> BulkProgress:
        """Does it to all of them; where they are not listed by their keys, for so many seconds."""
        deadline = time.monotonic() + (seconds if selection.keys is None else math.inf)
        done = chunks = 0
        async for keys, among in self._chunks(action, selection, until=until):
            if chunks and time.monotonic() > deadline:
                return BulkProgress(done, finished=False)
            done += await self._act(action, keys, among)
            chunks += 1
        return BulkProgress(done, finished=True)

    async def _chunks(
        self, action: JobAction, selection: Selection, *, until: int
    ) -> AsyncIterator[tuple[Sequence[str], frozenset[JobStatus]]]:
        """Keys, and the statuses that these jobs have to have still."""
        among = action.applies_to & selection.chosen.statuses
        if selection.keys is not None:
            for keys in in_chunks(selection.keys):
                yield keys, among
            return
        for index, status in self._indexes(selection.chosen, among):
            async for keys in self._walk(index, status, until=until):
                yield keys, frozenset({status})

    async def _walk(
        self, index: str, status: JobStatus, *, until: int
    ) -> AsyncIterator[Sequence[str]]:
        """Chunk by chunk. What is changed leaves its index, and the next ones are at its head.

        A running job is only marked, and leaves when it ends. So those are read once: they are no
        more than the workers hold.
        """
        if status is JobStatus.ACTIVE:
            for keys in in_chunks(await self._read(index, until=until, most=-1)):
                yield keys
            return
        before: Sequence[str] = ()
        while (keys := await self._read(index, until=until, most=CHUNK)) and keys != before:
            yield keys
            before = keys  # the same again are jobs that are in their index alone

    async def _read(self, index: str, *, until: int, most: int) -> Sequence[str]:
        """Those that came first into their status; `most` of -1 is all of them."""
        async with within_patience(PATIENCE):
            keys: list[str] = await self._redis.zrangebyscore(
                index, "-inf", until, start=0, num=most
            )
        return keys

    async def _act(
        self, action: JobAction, keys: Sequence[str], among: frozenset[JobStatus]
    ) -> int:
        before = await self._board.change(action, keys, among=among)
        return sum(status in among for status in before)

    def _indexes(
        self, chosen: JobFilter, among: Container[JobStatus]
    ) -> list[tuple[str, JobStatus]]:
        return [
            (index_of(queue, status, chosen.task), status)
            for queue in ([chosen.queue] if chosen.queue else self._board.queues)
            for status in JobStatus
            if status in among
        ]


def in_chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def index_of(queue: str, status: JobStatus, task: str | None) -> str:
    if task is None:
        return Key.BY_STATUS % (queue, status)
    return Key.BY_TASK % (queue, status, task)
