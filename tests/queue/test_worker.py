"""What a worker does with jobs."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog
from redis.asyncio import Redis

from myapp.backoff import Backoff
from myapp.queue.client import JobQueue
from myapp.queue.records import JobStatus
from myapp.queue.tasks import (
    Handler,
    JobContext,
    Nothing,
    Payload,
    Registry,
    Retry,
    Task,
    build_registry,
)
from tests.queue.conftest import FAST

Eventually = Callable[..., Awaitable[Any]]
Work = Callable[..., Any]


class Count(Payload):
    number: int


RECORD = {
    *("id", "role", "host", "pid", "version", "queues", "concurrency", "active"),
    *("started_at", "memory_mb"),
}
SOON = Backoff(base=0.02, cap=0.1)
COUNT = Task("number:count", Count, attempts=3, backoff=SOON)


def handled_by(handler: Handler[Any], task: Task[Any] = COUNT) -> Registry:
    return build_registry([(task, handler)])


@pytest.fixture
def status(queue: JobQueue, eventually: Eventually) -> Callable[..., Awaitable[Any]]:
    """Waits until a job has this status; returns the job."""

    async def reach(key: str, wanted: JobStatus) -> Any:
        async def check() -> Any:
            job = await queue.get(key)
            return job if job.status is wanted else None

        return await eventually(check)

    return reach


class TestRun:
    async def test_a_job_runs_and_its_result_is_kept(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        seen: list[tuple[JobContext, Count]] = []

        async def handler(context: JobContext, payload: Count) -> object:
            seen.append((context, payload))
            return {"doubled": payload.number * 2}

        async with work(handled_by(handler)) as worker:
            key = await queue.enqueue(COUNT, Count(number=21), request_id="r")
            job = await status(key, JobStatus.COMPLETE)
        assert (job.result, job.attempts, job.worker) == ({"doubled": 42}, 1, worker.id)
        assert job.enqueued_at <= job.started_at <= job.finished_at
        context = JobContext(key, "number:count", "default", 1, 3, "r", worker.id)
        assert seen == [(context, Count(number=21))]

    async def test_a_job_queued_before_a_worker_lived_runs(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        key = await queue.enqueue(COUNT, Count(number=1))
        async with work(handled_by(do_nothing)):
            await status(key, JobStatus.COMPLETE)

    async def test_an_idle_worker_starts_a_job_at_once(self, queue: JobQueue, work: Work) -> None:
        started = asyncio.Event()

        async def handler(_: JobContext, __: Count) -> None:
            started.set()

        # Of its four seconds for a look at an idle queue, a busy machine may take three.
        async with work(handled_by(handler), timings=replace(FAST, idle=4)):
            await asyncio.sleep(0.3)
            await queue.enqueue(COUNT, Count(number=1))
            async with asyncio.timeout(3):
                await started.wait()

    async def test_a_delayed_job_runs_when_it_is_due(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        async with work(handled_by(do_nothing)):
            key = await queue.enqueue(COUNT, Count(number=1), delay=0.3)
            job = await status(key, JobStatus.COMPLETE)
        assert job.started_at >= job.scheduled_at

    async def test_each_queue_has_so_many_slots_and_no_more(
        self, queue: JobQueue, work: Work, eventually: Eventually
    ) -> None:
        under_way: list[str] = []
        release = asyncio.Event()

        async def handler(context: JobContext, _: Nothing) -> None:
            under_way.append(context.queue)
            await release.wait()

        tasks = [Task(f"number:{name}", Nothing, queue=name) for name in ("default", "low")]
        async with work(build_registry([(task, handler) for task in tasks]), concurrency=2):
            for task in tasks * 3:
                await queue.enqueue(task, Nothing())
            await eventually(lambda: len(under_way) >= 4)
            await asyncio.sleep(0.3)
            assert sorted(under_way) == ["default", "default", "low", "low"]
            release.set()
            await eventually(lambda: len(under_way) == 6)

    async def test_a_queue_that_is_not_served_is_left_alone(
        self, queue: JobQueue, work: Work
    ) -> None:
        async with work(handled_by(do_nothing), queues=["low"]):
            key = await queue.enqueue(COUNT, Count(number=1))
            await asyncio.sleep(0.3)
        assert (await queue.get(key)).status is JobStatus.QUEUED

    async def test_what_a_job_logs_names_task_job_and_request(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        bound: dict[str, object] = {}

        async def handler(_: JobContext, __: Count) -> None:
            bound.update(structlog.contextvars.get_contextvars())

        async with work(handled_by(handler)):
            key = await queue.enqueue(COUNT, Count(number=1), request_id="r")
            await status(key, JobStatus.COMPLETE)
        assert bound == {"task": "number:count", "job": key, "request_id": "r"}

    async def test_many_jobs_each_run_once_over_two_workers(
        self, queue: JobQueue, work: Work, eventually: Eventually
    ) -> None:
        done: list[int] = []

        async def handler(_: JobContext, payload: Count) -> None:
            done.append(payload.number)

        async with work(handled_by(handler)), work(handled_by(handler)):
            for number in range(200):
                await queue.enqueue(COUNT, Count(number=number))
            await eventually(lambda: len(done) >= 200)
        assert sorted(done) == list(range(200))


class TestFailure:
    async def test_a_failed_attempt_is_tried_again_and_its_error_kept(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        async def handler(context: JobContext, payload: Count) -> str:
            if context.attempt < 3:
                raise ValueError(f"not yet {payload.number}")
            return "at last"

        async with work(handled_by(handler)):
            key = await queue.enqueue(COUNT, Count(number=7))
            job = await status(key, JobStatus.COMPLETE)
        assert (job.result, job.attempts) == ("at last", 3)
        assert [error.attempt for error in job.errors] == [1, 2]
        assert job.errors[0].error.startswith("Traceback")
        assert "ValueError: not yet 7" in job.errors[0].error
        assert job.errors[0].at < job.errors[1].at

    async def test_after_its_attempts_a_job_has_failed(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        calls = 0

        async def handler(_: JobContext, __: Count) -> None:
            nonlocal calls
            calls += 1
            raise ValueError("\ud800 is half a character")

        async with work(handled_by(handler)):
            key = await queue.enqueue(COUNT, Count(number=1))
            job = await status(key, JobStatus.FAILED)
        assert (calls, job.attempts, len(job.errors)) == (3, 3, 3)
        assert job.finished_at

    async def test_retries_wait_by_the_tasks_policy(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        slow = Task("number:slow", Count, attempts=2, backoff=Backoff(base=60, cap=60))

        async def handler(_: JobContext, __: Count) -> None:
            raise ValueError

        async with work(handled_by(handler, slow)):
            key = await queue.enqueue(slow, Count(number=1))
            job = await status(key, JobStatus.SCHEDULED)
        assert 29 < (job.scheduled_at - job.errors[0].at).total_seconds() < 61

    async def test_a_handler_can_say_when_it_wants_to_be_called_again(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        async def handler(_: JobContext, __: Count) -> None:
            raise Retry("the provider is busy", after=100)

        async with work(handled_by(handler)):
            key = await queue.enqueue(COUNT, Count(number=1))
            job = await status(key, JobStatus.SCHEDULED)
        assert [error.error for error in job.errors] == ["Retry: the provider is busy"]
        assert 99 < (job.scheduled_at - job.errors[0].at).total_seconds() < 101

    async def test_an_error_that_cannot_be_shown_is_one_like_others(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        class Shapeless(Exception):
            def __str__(self) -> str:
                raise AttributeError

        async def handler(_: JobContext, __: Count) -> None:
            raise Shapeless

        with structlog.testing.capture_logs() as logs:
            async with work(handled_by(handler)):
                key = await queue.enqueue(COUNT, Count(number=1))
                job = await status(key, JobStatus.FAILED)
        assert [error.attempt for error in job.errors] == [1, 2, 3]
        assert "Shapeless" in job.errors[0].error
        assert "Shapeless: <it cannot be shown>" in [line.get("error") for line in logs]

    @pytest.mark.parametrize("after", ["soon", float("inf")])  # one is judged, one reported
    async def test_a_job_whose_end_cannot_be_judged_has_used_an_attempt(
        self, queue: JobQueue, work: Work, status: Eventually, after: Any
    ) -> None:
        async def handler(_: JobContext, __: Count) -> None:
            raise Retry("the provider is busy", after=after)

        async with work(handled_by(handler)):
            key = await queue.enqueue(COUNT, Count(number=1))
            job = await status(key, JobStatus.SCHEDULED)
        assert [error.attempt for error in job.errors] == [1]

    async def test_an_attempt_ends_at_its_timeout(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        brief = Task("number:brief", Count, attempts=1, timeout=0.1)

        async def handler(_: JobContext, __: Count) -> None:
            await asyncio.sleep(60)

        async with work(handled_by(handler, brief)):
            key = await queue.enqueue(brief, Count(number=1))
            job = await status(key, JobStatus.FAILED)
        assert [error.error for error in job.errors] == ["TimedOut: took longer than 0.1 s"]

    async def test_a_job_that_ends_in_spite_of_its_timeout_is_complete(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        brief = Task("number:brief", Count, attempts=1, timeout=0.1)

        async def handler(_: JobContext, __: Count) -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)
            return "just so"

        async with work(handled_by(handler, brief)):
            key = await queue.enqueue(brief, Count(number=1))
            job = await status(key, JobStatus.COMPLETE)
        assert job.result == "just so"

    async def test_a_timeout_of_the_handlers_own_is_an_error_like_others(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        async def handler(_: JobContext, __: Count) -> None:
            async with asyncio.timeout(0):
                await asyncio.sleep(1)

        async with work(handled_by(handler, Task("number:own", Count, attempts=1))):
            key = await queue.enqueue(Task("number:own", Count, attempts=1), Count(number=1))
            job = await status(key, JobStatus.FAILED)
        assert job.errors[0].error.startswith("Traceback")

    async def test_a_handler_that_cancels_itself_has_failed(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        async def handler(_: JobContext, __: Count) -> None:
            raise asyncio.CancelledError

        async with work(handled_by(handler)):
            key = await queue.enqueue(COUNT, Count(number=1))
            job = await status(key, JobStatus.FAILED)
        assert len(job.errors) == 3

    async def test_an_unknown_task_fails_for_good_and_says_so(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        unknown = Task("number:forget", Count, attempts=9)
        with structlog.testing.capture_logs() as logs:
            async with work(handled_by(do_nothing)):
                key = await queue.enqueue(unknown, Count(number=1))
                job = await status(key, JobStatus.FAILED)
        assert [error.error for error in job.errors] == ["Unfit: There is no task 'number:forget'"]
        assert [line["log_level"] for line in logs if "failed" in line["event"]] == ["error"]

    async def test_a_payload_of_an_older_release_fails_for_good_and_says_so(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        older = Task("number:count", Nothing, attempts=9)
        async with work(handled_by(do_nothing)):
            key = await queue.enqueue(older, Nothing())
            job = await status(key, JobStatus.FAILED)
        assert [error.error for error in job.errors] == [
            "Unfit: The payload of number:count is not valid: number is required"
        ]


class TestCancel:
    async def test_a_running_job_is_stopped_and_ends_as_cancelled(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        cleaned = asyncio.Event()

        async def handler(_: JobContext, __: Count) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                cleaned.set()

        async with work(handled_by(handler)):
            key = await queue.enqueue(COUNT, Count(number=1))
            await status(key, JobStatus.ACTIVE)
            await queue.cancel(key)
            job = await status(key, JobStatus.CANCELLED)
        assert cleaned.is_set()
        assert (job.errors, job.attempts) == ((), 1)

    async def test_a_job_that_fails_before_it_can_be_stopped_is_not_tried_again(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        async def handler(context: JobContext, _: Count) -> None:
            await queue.cancel(context.key)
            raise ValueError

        async with work(handled_by(handler)):
            key = await queue.enqueue(COUNT, Count(number=1))
            await status(key, JobStatus.CANCELLED)


class TestPause:
    async def test_a_paused_queue_starts_nothing_until_resumed_and_others_go_on(
        self, queue: JobQueue, work: Work, status: Eventually
    ) -> None:
        low = Task("number:low", Count, queue="low")
        registry = build_registry([(COUNT, do_nothing), (low, do_nothing)])
        await queue.pause("default")
        async with work(registry):
            held = await queue.enqueue(COUNT, Count(number=1))
            await status(await queue.enqueue(low, Count(number=1)), JobStatus.COMPLETE)
            await asyncio.sleep(0.3)
            assert (await queue.get(held)).status is JobStatus.QUEUED
            await queue.resume("default")
            await status(held, JobStatus.COMPLETE)

    async def test_a_pause_stops_an_idle_worker_that_waits_already(
        self, queue: JobQueue, work: Work
    ) -> None:
        async with work(handled_by(do_nothing)):
            await asyncio.sleep(0.2)
            await queue.pause("default")
            key = await queue.enqueue(COUNT, Count(number=1))
            await asyncio.sleep(0.4)
            assert (await queue.get(key)).status is JobStatus.QUEUED


class TestRecord:
    async def test_operators_see_the_worker_while_it_lives(
        self, redis: Redis, work: Work, eventually: Eventually
    ) -> None:
        async with work(handled_by(do_nothing), concurrency=3) as worker:
            await eventually(lambda: worker.healthy)
            stored = await redis.hgetall(f"myapp:worker:{worker.id}")  # type: ignore[misc]  # sync or async
        record = json.loads(stored["record"])
        assert set(record) == RECORD
        assert (record["concurrency"], record["queues"]) == (3, ["default", "low"])
        assert 10 < record["memory_mb"] < 2000
        assert await redis.keys("myapp:worker*") == []

    async def test_the_start_lists_the_tasks(self, work: Work) -> None:
        with structlog.testing.capture_logs() as logs:
            async with work(handled_by(do_nothing)):
                pass
        (line,) = [line for line in logs if line["event"] == "task"]
        assert (line["name"], line["queue"], line["attempts"]) == ("number:count", "default", 3)

    async def test_the_start_warns_of_a_queue_that_no_task_has(self, work: Work) -> None:
        with structlog.testing.capture_logs() as logs:
            async with work(handled_by(do_nothing), queues=["default", "defualt"]):
                pass
        (line,) = [line for line in logs if line["log_level"] == "warning"]
        assert line["queues"] == ["defualt"]


async def do_nothing(_: JobContext, __: Payload) -> None:
    """A job that is done at once."""
