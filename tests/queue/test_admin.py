"""Operators find jobs and act on them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from myapp.errors import NotFound
from myapp.queue.admin import JobAction, JobBoard, JobFilter
from myapp.queue.client import JobQueue
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.queue.tasks import JobContext, Payload, Registry, Task, build_registry
from tests.queue.conftest import Work

SEVERAL = 7
Eventually = Callable[..., Awaitable[Any]]


class Text(Payload):
    text: str = ""


WRITE = Task("note:write", Text, attempts=1)
READ = Task("note:read", Text, queue="low", attempts=1)


@pytest.fixture
def board(redis: Redis) -> JobBoard:
    return JobBoard(redis, ["default", "low"])


async def keys(board: JobBoard, offset: int = 0, limit: int = 100, **chosen: Any) -> list[str]:
    found = await board.find(JobFilter(**chosen), offset=offset, limit=limit)
    return [job.key for job in found.jobs]


def registry(handler: Callable[[JobContext, Text], Awaitable[object]]) -> Registry:
    return build_registry([(WRITE, handler), (READ, handler)])


async def obey(_: JobContext, payload: Text) -> str:
    if payload.text == "fail":
        raise RuntimeError("in /usr/share/notes")
    return "well done"


class TestList:
    async def test_has_the_newest_first_over_all_queues_and_statuses(
        self, board: JobBoard, queue: JobQueue
    ) -> None:
        made = []
        for number in range(SEVERAL):
            task = (WRITE, READ)[number % 2]
            made.append(await queue.enqueue(task, Text(), delay=number % 3))
        await asyncio.sleep(0.01)  # times are kept in milliseconds
        await queue.cancel(made[0])
        assert set(await keys(board)) == set(made)
        assert (await keys(board))[0] == made[0]
        waiting = await keys(board, status=JobStatus.QUEUED)
        assert waiting == sorted(waiting, reverse=True)

    @pytest.mark.parametrize("ties", [False, True])
    async def test_repeats_and_drops_nothing_from_page_to_page(
        self, board: JobBoard, queue: JobQueue, redis: Redis, ties: bool
    ) -> None:
        made = [await queue.enqueue((WRITE, READ)[n % 2], Text(), delay=n % 3) for n in range(50)]
        if ties:
            for name in ("default", "low"):
                for status in ("queued", "scheduled"):
                    index = Key.BY_STATUS % (name, status)
                    for key in await redis.zrange(index, 0, -1):
                        await redis.zadd(index, {key: 1})
        everything = await keys(board)
        pages = [await keys(board, offset=start, limit=SEVERAL) for start in range(0, 60, SEVERAL)]
        assert [key for page in pages for key in page] == everything
        assert sorted(everything) == sorted(made)
        assert (await board.find(JobFilter(), offset=49, limit=20)).total == 50

    async def test_takes_all_filters_together(self, board: JobBoard, queue: JobQueue) -> None:
        wanted = await queue.enqueue(WRITE, Text())
        await queue.enqueue(WRITE, Text(), delay=60)
        await queue.enqueue(READ, Text())
        chosen: dict[str, Any] = {
            "queue": "default",
            "task": "note:write",
            "status": JobStatus.QUEUED,
        }
        assert await keys(board, **chosen) == [wanted]
        assert await keys(board, **chosen | {"queue": "low"}) == []
        assert await keys(board, **chosen | {"queue": "nowhere"}) == []


class TestSearch:
    async def test_finds_a_key_a_task_or_a_request_exactly(
        self, board: JobBoard, queue: JobQueue
    ) -> None:
        first = await queue.enqueue(WRITE, Text(text="note:read"), request_id="r", key="k")
        second = await queue.enqueue(READ, Text(text="k and r and rr"), request_id="r")
        other = await queue.enqueue(READ, Text(), request_id="rr", key="kk")
        assert await keys(board, q="k") == [first]
        assert await keys(board, q="note:read") == [other, second]
        assert sorted(await keys(board, q="r")) == sorted([first, second])
        assert await keys(board, q="r", task="note:read") == [second]
        assert await keys(board, q="k", queue="low") == [other, second]  # a text, then

    @pytest.mark.parametrize("text", ["ÉCLAIR".replace("É", "é"), "/USR/share", "well DONE", "%"])
    async def test_finds_a_text_in_what_a_job_has(
        self, board: JobBoard, queue: JobQueue, work: Work, eventually: Eventually, text: str
    ) -> None:
        wanted = [
            await queue.enqueue(WRITE, Text(text="un éclair, 100 %")),
            await queue.enqueue(WRITE, Text(text="fail")),
        ]
        async with work(registry(obey)):
            await eventually(lambda: keys(board, status=JobStatus.FAILED))
            await eventually(lambda: keys(board, status=JobStatus.COMPLETE))
        assert await keys(board, q=text) == [wanted["/USR" in text]]
        assert await keys(board, q="absent") == []

    async def test_finds_what_a_worker_runs(self, board: JobBoard, redis: Redis) -> None:
        queue = JobQueue(redis)
        key = await queue.enqueue(WRITE, Text())
        await redis.hset(Key.JOB % key, "worker", "w-1")  # type: ignore[misc]  # sync or async
        await queue.enqueue(WRITE, Text())
        assert await keys(board, q="w-1") == [key]


class TestRetry:
    async def test_runs_a_failed_job_again_with_all_its_attempts(
        self, board: JobBoard, queue: JobQueue, work: Work, eventually: Eventually
    ) -> None:
        fails = [True]

        async def hesitate(context: JobContext, _: Text) -> int:
            if fails:
                raise RuntimeError("no")
            return context.attempt

        async with work(registry(hesitate)):
            key = await queue.enqueue(WRITE, Text())
            await eventually(lambda: keys(board, status=JobStatus.FAILED))
            fails.clear()
            assert await board.act(JobAction.RETRY, key) is JobStatus.FAILED
            await eventually(lambda: keys(board, status=JobStatus.COMPLETE))
        job = await board.get(key)
        assert (job.attempts, job.result) == (1, 1)
        assert "RuntimeError: no" in job.errors[0].error

    async def test_keeps_the_newest_errors_and_the_job(
        self, board: JobBoard, queue: JobQueue, redis: Redis
    ) -> None:
        key = await queue.enqueue(WRITE, Text())
        await queue.cancel(key)
        lines = "".join(f'{{"attempt":{n},"at":1,"error":"x"}}\n' for n in range(30))
        await redis.hset(Key.JOB % key, "errors", lines)  # type: ignore[misc]  # sync or async
        await board.act(JobAction.RETRY, key)
        job = await board.get(key)
        assert [error.attempt for error in job.errors] == list(range(10, 30))
        assert (job.status, job.finished_at) == (JobStatus.QUEUED, None)
        assert await redis.zcard(Key.EXPIRY % "default") == 0  # or it would be forgotten

    async def test_does_nothing_to_a_job_that_waits(
        self, board: JobBoard, queue: JobQueue, redis: Redis
    ) -> None:
        key = await queue.enqueue(WRITE, Text())
        assert await board.act(JobAction.RETRY, key) is JobStatus.QUEUED
        assert await redis.llen(Key.WAITING % "default") == 1  # type: ignore[misc]  # sync or async


class TestCancel:
    async def test_stops_a_running_job(
        self, board: JobBoard, queue: JobQueue, work: Work, eventually: Eventually
    ) -> None:
        async def hang(_: JobContext, __: Text) -> None:
            await asyncio.sleep(60)

        async with work(registry(hang)):
            key = await queue.enqueue(WRITE, Text())
            await eventually(lambda: keys(board, status=JobStatus.ACTIVE))
            assert await board.act(JobAction.CANCEL, key) is JobStatus.ACTIVE
            await eventually(lambda: keys(board, status=JobStatus.CANCELLED))

    @pytest.mark.parametrize("delay", [0, 60])
    async def test_ends_a_job_that_waits(
        self, board: JobBoard, queue: JobQueue, delay: float
    ) -> None:
        key = await queue.enqueue(WRITE, Text(), delay=delay)
        await board.act(JobAction.CANCEL, key)
        assert (await board.get(key)).status is JobStatus.CANCELLED


class TestDelete:
    async def test_leaves_nothing_behind(
        self, board: JobBoard, queue: JobQueue, redis: Redis
    ) -> None:
        key = await queue.enqueue(WRITE, Text(), request_id="r", delay=60)
        await board.act(JobAction.DELETE, key)
        with pytest.raises(NotFound):
            await board.get(key)
        assert await redis.keys("*") == []

    async def test_spares_a_running_job(
        self, board: JobBoard, queue: JobQueue, redis: Redis
    ) -> None:
        key = await queue.enqueue(WRITE, Text())
        await redis.hset(Key.JOB % key, "status", "active")  # type: ignore[misc]  # sync or async
        assert await board.act(JobAction.DELETE, key) is JobStatus.ACTIVE
        assert (await board.get(key)).key == key

    async def test_of_a_job_that_comes_once_is_for_good(
        self, board: JobBoard, queue: JobQueue
    ) -> None:
        key = await queue.enqueue(WRITE, Text(), key="k", once=True)
        await board.act(JobAction.DELETE, key)
        await queue.enqueue(WRITE, Text(), key="k", once=True)
        assert await keys(board) == []

    async def test_of_no_job_says_so(self, board: JobBoard) -> None:
        assert await board.act(JobAction.DELETE, "nothing") is None
