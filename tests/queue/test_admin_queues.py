"""Queues, workers and runs of crons, as operators see them."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from myapp.errors import NotFound
from myapp.queue.admin_queues import QueueBoard, QueueState, run_cron
from myapp.queue.client import JobQueue
from myapp.queue.crons import CronBoard
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.queue.store import COMPLETE_MAX
from myapp.queue.tasks import Cron, JobContext, Payload, Task, build_registry
from tests.queue.conftest import FAST, Work

Eventually = Callable[..., Awaitable[Any]]


class Text(Payload):
    text: str = ""


WRITE = Task("note:write", Text, attempts=1)
NIGHTLY = Cron("nightly", WRITE, "0 3 * * *", Text())


@pytest.fixture
def board(redis: Redis) -> QueueBoard:
    return QueueBoard(redis, ["default", "low"])


async def work_off(_: JobContext, payload: Text) -> None:
    if payload.text == "fail":
        raise RuntimeError
    if payload.text == "hang":
        await asyncio.sleep(60)


class TestQueues:
    async def test_have_their_jobs_by_status(self, board: QueueBoard, queue: JobQueue) -> None:
        await queue.enqueue(WRITE, Text())
        await queue.enqueue(WRITE, Text(), delay=60)
        default, low = await board.list_all()
        assert (default.name, low.name) == ("default", "low")
        assert default.counts == dict.fromkeys(JobStatus, 0) | {
            JobStatus.QUEUED: 1,
            JobStatus.SCHEDULED: 1,
        }
        assert sum(low.counts.values()) == 0

    async def test_say_how_old_the_oldest_waiting_job_is(
        self, board: QueueBoard, queue: JobQueue
    ) -> None:
        assert (await board.get("default")).latency_seconds == 0
        await queue.enqueue(WRITE, Text())
        await asyncio.sleep(0.05)
        await queue.enqueue(WRITE, Text())
        assert 0.05 <= (await board.get("default")).latency_seconds < 30  # not milliseconds

    async def test_say_what_ended_in_the_last_minute(
        self, board: QueueBoard, queue: JobQueue, work: Work, eventually: Eventually, redis: Redis
    ) -> None:
        for text in ("", "", "fail"):
            await queue.enqueue(WRITE, Text(text=text))

        async def all_ended() -> bool:
            return (await board.get("default")).processed_per_minute == 3

        async with work(build_registry([(WRITE, work_off)])):
            await eventually(all_ended)
        assert (await board.get("default")).failed_per_minute == 1
        index = Key.BY_STATUS % ("default", "complete")
        for key in await redis.zrange(index, 0, -1):
            await redis.zincrby(index, -61_000, key)
        assert (await board.get("default")).processed_per_minute == 1

    async def test_say_so_also_when_more_ended_than_are_kept(
        self, board: QueueBoard, redis: Redis
    ) -> None:
        now = int((await redis.time())[0]) * 1000
        index = Key.BY_STATUS % ("default", "complete")
        await redis.zadd(index, {str(n): now - n for n in range(COMPLETE_MAX)})
        rate = (await board.get("default")).processed_per_minute
        assert rate > 5 * COMPLETE_MAX / 2  # 10 seconds, or up to 11, took so many

    async def test_are_paused_and_resumed(self, board: QueueBoard) -> None:
        await board.pause("low")
        assert [state.paused for state in await board.list_all()] == [False, True]
        await board.resume("low")
        assert not (await board.get("low")).paused

    async def test_that_nobody_knows_are_not_found(self, board: QueueBoard) -> None:
        acts: list[Callable[[str], Awaitable[QueueState | None]]] = [
            board.get,
            board.pause,
            board.resume,
        ]
        for act in acts:
            with pytest.raises(NotFound):
                await act("nowhere")


class TestWorkers:
    async def test_say_what_they_run(
        self, board: QueueBoard, queue: JobQueue, work: Work, eventually: Eventually
    ) -> None:
        key = await queue.enqueue(WRITE, Text(text="hang"))
        async with work(build_registry([(WRITE, work_off)])) as worker:

            async def busy() -> bool:
                return any(state.running for state in await board.workers())

            await eventually(busy)
            (state,) = await board.workers()
            (running,) = state.running
            assert (running.key, running.task, running.queue) == (key, "note:write", "default")
            assert running.started_at == (await queue.get(key)).started_at
            assert 0 <= state.silent_seconds < FAST.lease
            assert state.record["id"] == worker.id
            assert state.record["pid"] == os.getpid()
        assert await board.workers() == []

    async def test_that_are_silent_for_a_lease_are_gone(
        self, board: QueueBoard, work: Work, eventually: Eventually, redis: Redis
    ) -> None:
        async with work(build_registry([(WRITE, work_off)])) as worker:
            await eventually(board.workers)
            record = await redis.hgetall(Key.WORKER % worker.id)  # type: ignore[misc]  # sync or async
        await redis.sadd(Key.WORKERS, "dead")  # type: ignore[misc]  # sync or async
        await redis.hset(Key.WORKER % "dead", mapping=record)  # type: ignore[misc]  # sync or async
        assert len(await board.workers()) == 1
        stale = str(int(record["seen_at"]) - 16_000)
        await redis.hset(Key.WORKER % "dead", "seen_at", stale)  # type: ignore[misc]  # sync or async
        assert await board.workers() == []


class TestRunCron:
    async def test_queues_its_task_and_shows_how_it_went(
        self, redis: Redis, queue: JobQueue, work: Work, eventually: Eventually
    ) -> None:
        crons = CronBoard(redis, [NIGHTLY])
        await crons.pause("nightly")
        key = await run_cron(redis, NIGHTLY, request_id="r")
        job = await queue.get(key)
        assert (job.task, job.request_id, job.status) == ("note:write", "r", JobStatus.QUEUED)

        async def last_status() -> bool:
            (state,) = await crons.states()
            return state.last_status == "complete" and state.last_run_at is not None

        async with work(build_registry([(WRITE, work_off)], [NIGHTLY])):
            await eventually(last_status)

    async def test_queues_another_each_time(self, redis: Redis) -> None:
        first, second = [await run_cron(redis, NIGHTLY, request_id=None) for _ in range(2)]
        assert first != second
        assert await redis.llen(Key.WAITING % "default") == 2  # type: ignore[misc]  # sync or async
