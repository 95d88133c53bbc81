"""One action on all jobs that match."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from saq.job import Status

from myapp.queue.admin import JobAction, JobBoard, JobFilter
from myapp.queue.admin_bulk import CHUNK, BulkActions, BulkProgress
from myapp.queue.client import JobQueue
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.queue.scripts import Scripts
from myapp.queue.store import JobStore, StoredJob
from myapp.queue.tasks import Payload, Task


class Text(Payload):
    text: str = ""


WRITE = Task("note:write", Text)
READ = Task("note:read", Text, queue="low")
MANY = 2 * CHUNK + 1
FEW = 7


@pytest.fixture
def board(redis: Redis) -> JobBoard:
    return JobBoard(redis, ["default", "low"])


@pytest.fixture
def bulk(redis: Redis, board: JobBoard) -> BulkActions:
    return BulkActions(redis, board)


async def count(bulk: BulkActions, action: JobAction, **chosen: Any) -> int:
    selection = await bulk.select(action, JobFilter(**chosen))
    return await bulk.count(action, selection, until=await bulk.now())


async def run(bulk: BulkActions, action: JobAction, **chosen: Any) -> BulkProgress:
    selection = await bulk.select(action, JobFilter(**chosen))
    return await bulk.run(action, selection, until=await bulk.now(), seconds=10)


async def total(board: JobBoard, **chosen: Any) -> int:
    return (await board.find(JobFilter(**chosen), offset=0, limit=1)).total


async def test_it_reaches_all_of_many_chunks(
    bulk: BulkActions, board: JobBoard, queue: JobQueue
) -> None:
    for _ in range(MANY):
        await queue.enqueue(WRITE, Text())
    assert await count(bulk, JobAction.CANCEL, task="note:write") == MANY
    assert await run(bulk, JobAction.CANCEL, task="note:write") == BulkProgress(MANY, True)
    assert await total(board, status=JobStatus.CANCELLED) == MANY
    assert await run(bulk, JobAction.RETRY, queue="default") == BulkProgress(MANY, True)
    assert await total(board, status=JobStatus.QUEUED) == MANY
    assert await run(bulk, JobAction.DELETE) == BulkProgress(MANY, True)
    assert await total(board) == 0


async def test_it_marks_each_running_job_once(
    bulk: BulkActions, queue: JobQueue, redis: Redis
) -> None:
    for number in range(CHUNK + 1):
        key = await queue.enqueue(WRITE, Text())
        if number % 2:
            await redis.hset(Key.JOB % key, "status", "active")  # type: ignore[misc]  # sync or async
            await redis.zrem(Key.BY_STATUS % ("default", "queued"), key)
            await redis.zadd(Key.BY_STATUS % ("default", "active"), {key: 1})
    assert (await run(bulk, JobAction.CANCEL)).done == CHUNK + 1


class Meanwhile(JobBoard):
    """Before its second chunk the first few jobs of the first one come to their end."""

    store: JobStore
    held: Sequence[StoredJob]

    async def change(
        self, action: JobAction, keys: Sequence[str], *, among: Iterable[JobStatus]
    ) -> list[JobStatus | None]:
        before = await super().change(action, keys, among=among)
        ending = [job for job in self.held if job.key in keys[:FEW]]
        for job in ending if len(keys) == CHUNK else ():
            await self.store.finish(job, Status.COMPLETE)
        return before


async def test_it_skips_no_running_job_where_others_end_meanwhile(
    queue: JobQueue, redis: Redis
) -> None:
    for _ in range(CHUNK + FEW):
        await queue.enqueue(WRITE, Text())
    await Scripts(redis).call("join", "w", "default", "{}")
    board = Meanwhile(redis, ["default"])
    board.store = JobStore(redis, "default")
    _, board.held = await board.store.claim("w", known=0, limit=CHUNK + FEW)
    assert len(board.held) == CHUNK + FEW
    assert await run(BulkActions(redis, board), JobAction.CANCEL) == BulkProgress(CHUNK + FEW, True)
    statuses = [(await queue.get(job.key)).status for job in board.held]
    assert statuses.count(JobStatus.ACTIVE) == CHUNK
    marks = [await redis.hget(Key.JOB % job.key, "cancel") for job in board.held]  # type: ignore[misc]  # sync or async
    assert [status is JobStatus.ACTIVE for status in statuses] == [mark == "1" for mark in marks]


async def test_it_is_finished_where_its_time_is_over_with_the_last_jobs(
    bulk: BulkActions, queue: JobQueue
) -> None:
    await queue.enqueue(WRITE, Text())
    selection = await bulk.select(JobAction.DELETE, JobFilter())
    until = await bulk.now()
    progress = await bulk.run(JobAction.DELETE, selection, until=until, seconds=0)
    assert progress == BulkProgress(1, True)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, 3),
        ({"queue": "low"}, 1),
        ({"status": JobStatus.SCHEDULED}, 1),
        ({"task": "note:write"}, 2),
        ({"q": "k"}, 1),
        ({"q": "note:write"}, 2),
        ({"q": "r"}, 2),
        ({"q": "moon"}, 1),
        ({"q": "moon", "status": JobStatus.SCHEDULED}, 0),
        ({"q": "absent"}, 0),
    ],
)
async def test_it_counts_and_changes_what_the_list_shows(
    bulk: BulkActions, board: JobBoard, queue: JobQueue, chosen: dict[str, Any], expected: int
) -> None:
    await queue.enqueue(WRITE, Text(text="moon"), key="k", request_id="r")
    await queue.enqueue(WRITE, Text(), delay=60, request_id="r")
    await queue.enqueue(READ, Text())
    assert await total(board, **chosen) == expected
    assert await count(bulk, JobAction.DELETE, **chosen) == expected
    assert await run(bulk, JobAction.DELETE, **chosen) == BulkProgress(expected, True)
    assert await total(board) == 3 - expected


async def test_it_leaves_alone_what_changed_later(
    bulk: BulkActions, board: JobBoard, queue: JobQueue
) -> None:
    await queue.enqueue(WRITE, Text())
    until = await bulk.now() - 1
    selection = await bulk.select(JobAction.DELETE, JobFilter())
    assert await bulk.count(JobAction.DELETE, selection, until=until) in (0, 1)
    late = await queue.enqueue(WRITE, Text())
    await bulk.run(JobAction.DELETE, selection, until=until, seconds=10)
    assert (await board.get(late)).key == late


async def test_it_leaves_alone_what_it_did_not_apply_to_when_it_was_settled(
    bulk: BulkActions, board: JobBoard, queue: JobQueue
) -> None:
    for key in ("old", "late"):
        await queue.enqueue(WRITE, Text(text="moon"), key=key)
    await queue.cancel("old")
    selection = await bulk.select(JobAction.RETRY, JobFilter(q="moon"))
    await queue.cancel("late")
    progress = await bulk.run(JobAction.RETRY, selection, until=await bulk.now(), seconds=10)
    assert progress == BulkProgress(1, True)
    assert (await board.get("late")).status is JobStatus.CANCELLED


async def test_it_counts_only_what_the_action_applies_to(
    bulk: BulkActions, queue: JobQueue
) -> None:
    await queue.enqueue(WRITE, Text(), key="k")
    await queue.cancel(await queue.enqueue(WRITE, Text()))
    assert await count(bulk, JobAction.RETRY) == 1
    assert await count(bulk, JobAction.CANCEL) == 1
    assert await count(bulk, JobAction.RETRY, q="k") == 0


@pytest.mark.timeout(30)
async def test_it_ends_where_an_index_names_jobs_that_are_no_more(
    bulk: BulkActions, queue: JobQueue, redis: Redis
) -> None:
    await queue.enqueue(WRITE, Text())
    await redis.zadd(Key.BY_STATUS % ("default", JobStatus.QUEUED), {"gone": 1})
    assert await run(bulk, JobAction.DELETE) == BulkProgress(1, True)


async def test_it_stops_when_its_time_is_over(bulk: BulkActions, queue: JobQueue) -> None:
    for _ in range(CHUNK + 1):
        await queue.enqueue(WRITE, Text())
    selection = await bulk.select(JobAction.DELETE, JobFilter())
    until = await bulk.now()
    progress = await bulk.run(JobAction.DELETE, selection, until=until, seconds=0)
    assert progress == BulkProgress(CHUNK, False)
    progress = await bulk.run(JobAction.DELETE, selection, until=until, seconds=10)
    assert progress == BulkProgress(1, True)
