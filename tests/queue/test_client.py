"""Queueing, looking at jobs, cancelling, pausing."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.contextvars import bound_contextvars

from myapp.errors import Invalid, NotFound, Unavailable
from myapp.queue.client import JobQueue
from myapp.queue.connection import SOCKET_TIMEOUT, connect_queue
from myapp.queue.records import JobStatus
from myapp.queue.scripts import Scripts
from myapp.queue.store import JobStore
from myapp.queue.tasks import Nothing, Payload, Task

pytestmark = pytest.mark.parametrize("server", ["valkey", "redis7"], indirect=True)


class Greet(Payload):
    name: str
    tags: tuple[str, ...] = ()


GREET = Task("person:greet", Greet, attempts=3)
IDLE = Task("person:idle", Nothing)


async def finish(redis: Redis, key: str, status: str = "complete") -> None:
    """Ends the next job as a worker would."""
    store = JobStore(redis, "default")
    await Scripts(redis).call("join", "w", "default", "{}")
    _, [job] = await store.claim("w", known=0)
    assert job.key == key
    await Scripts(redis).call("finish", key, job.claim, status, "", "", 10)


class TestEnqueue:
    async def test_a_job_stands_as_the_contract_shows_it(self, queue: JobQueue) -> None:
        key = await queue.enqueue(GREET, Greet(name="Ada", tags=()), request_id="r1")
        job = await queue.get(key)
        assert (job.key, job.task, job.queue, job.status) == (
            key,
            "person:greet",
            "default",
            JobStatus.QUEUED,
        )
        assert job.payload == {"name": "Ada", "tags": []}
        assert (job.attempts, job.max_attempts, job.errors, job.result) == (0, 3, (), None)
        assert (job.request_id, job.worker) == ("r1", None)
        assert abs(job.enqueued_at.timestamp() - time.time()) < 60
        assert (job.scheduled_at, job.started_at, job.finished_at) == (None, None, None)

    async def test_numbers_and_text_of_a_payload_come_back_as_they_were(
        self, queue: JobQueue
    ) -> None:
        name = 'ü\x00"\\ 12345678901234567890 😀'
        key = await queue.enqueue(GREET, Greet(name=name))
        assert (await queue.get(key)).payload["name"] == name

    async def test_the_request_at_hand_is_the_jobs(self, queue: JobQueue) -> None:
        with bound_contextvars(request_id="r2"):
            key = await queue.enqueue(IDLE, Nothing())
        assert (await queue.get(key)).request_id == "r2"

    async def test_a_key_that_has_not_ended_adds_nothing(
        self, queue: JobQueue, redis: Redis
    ) -> None:
        for name in ("first", "second"):
            assert await queue.enqueue(GREET, Greet(name=name), key="k") == "k"
        assert (await queue.get("k")).payload["name"] == "first"
        assert await JobStore(redis, "default").claim("w", known=0) == ("stranger", [])
        await finish(redis, "k")
        assert await JobStore(redis, "default").claim("w", known=0) == ("empty", [])

    async def test_a_key_is_free_after_its_job(self, queue: JobQueue, redis: Redis) -> None:
        await queue.enqueue(IDLE, Nothing(), key="k", request_id="old")
        await finish(redis, "k")
        await queue.enqueue(IDLE, Nothing(), key="k")
        job = await queue.get("k")
        assert (job.status, job.attempts, job.request_id) == (JobStatus.QUEUED, 0, None)

    @pytest.mark.parametrize(
        ("status", "kept"), [("failed", 20), ("cancelled", 20), ("complete", 0)]
    )
    async def test_a_key_that_came_to_no_good_end_leaves_its_newest_errors(
        self, queue: JobQueue, redis: Redis, status: str, kept: int
    ) -> None:
        await queue.enqueue(IDLE, Nothing(), key="k")
        await finish(redis, "k", status)
        lines = "".join(f'{{"attempt": {n}, "at": 0, "error": "no"}}\n' for n in range(30))
        await redis.hset("myapp:job:k", "errors", lines)  # type: ignore[misc]  # sync or async
        await queue.enqueue(IDLE, Nothing(), key="k")
        job = await queue.get("k")
        assert (job.status, job.attempts) == (JobStatus.QUEUED, 0)
        assert [error.attempt for error in job.errors] == list(range(30))[30 - kept :]

    @pytest.mark.parametrize("status", ["complete", "failed"])
    async def test_a_once_key_stays_taken_after_its_job(
        self, queue: JobQueue, redis: Redis, status: str
    ) -> None:
        await queue.enqueue(IDLE, Nothing(), key="outbox:7", once=True)
        await finish(redis, "outbox:7", status)
        await redis.delete("myapp:job:outbox:7")  # trimmed, since many others have completed
        assert await queue.enqueue(IDLE, Nothing(), key="outbox:7", once=True) == "outbox:7"
        assert await redis.llen("myapp:queue:default:waiting") == 0  # type: ignore[misc]  # sync or async
        assert 86_000 < await redis.ttl("myapp:once:outbox:7") <= 86_400

    async def test_a_delayed_job_waits_for_its_time(self, queue: JobQueue, redis: Redis) -> None:
        key = await queue.enqueue(IDLE, Nothing(), delay=60)
        job = await queue.get(key)
        assert job.status is JobStatus.SCHEDULED
        assert job.scheduled_at
        assert 59 < (job.scheduled_at - job.enqueued_at).total_seconds() < 61
        await Scripts(redis).call("join", "w", "default", "{}")
        assert (await JobStore(redis, "default").claim("w", known=0))[0] == "empty"

    async def test_a_payload_of_another_task_is_invalid(self, queue: JobQueue) -> None:
        with pytest.raises(Invalid, match="person:greet takes Greet"):
            await queue.enqueue(GREET, Nothing())  # type: ignore[misc]  # the point

    @pytest.mark.parametrize("key", ["", "a b", "a\n", "é", "x" * 201])
    async def test_an_odd_key_is_invalid(self, queue: JobQueue, key: str) -> None:
        with pytest.raises(Invalid):
            await queue.enqueue(IDLE, Nothing(), key=key)


class TestCancel:
    @pytest.mark.parametrize("delay", [0, 60])
    async def test_a_job_that_waits_is_cancelled_at_once(
        self, queue: JobQueue, redis: Redis, delay: float
    ) -> None:
        key = await queue.enqueue(IDLE, Nothing(), delay=delay)
        assert await queue.cancel(key) is JobStatus.CANCELLED
        assert (await queue.get(key)).finished_at
        await Scripts(redis).call("join", "w", "default", "{}")
        assert (await JobStore(redis, "default").claim("w", known=0))[0] == "empty"

    async def test_an_ended_job_stays_as_it_is(self, queue: JobQueue, redis: Redis) -> None:
        await queue.enqueue(IDLE, Nothing(), key="k")
        await finish(redis, "k")
        assert await queue.cancel("k") is JobStatus.COMPLETE

    async def test_an_unknown_job_is_not_found(self, queue: JobQueue) -> None:
        for method in (queue.cancel, queue.get):
            with pytest.raises(NotFound):
                await method("nope")


class TestPause:
    async def test_paused_queues_are_listed_until_resumed(self, queue: JobQueue) -> None:
        await queue.pause("low")
        assert await queue.paused() == {"low"}
        await queue.resume("low")
        assert await queue.paused() == frozenset()


class TestRedisAway:
    @pytest.fixture
    async def lonely(self, server: Any) -> AsyncIterator[JobQueue]:
        client = connect_queue("unix:///nonexistent/socket")
        yield JobQueue(client, patience=30)
        await client.aclose()

    async def test_every_method_is_unavailable_at_once(self, lonely: JobQueue) -> None:
        started = time.monotonic()
        for call in (
            lonely.enqueue(IDLE, Nothing()),
            lonely.get("k"),
            lonely.cancel("k"),
            lonely.pause("low"),
            lonely.paused(),
        ):
            with pytest.raises(Unavailable):
                await call
        assert time.monotonic() - started < 15

    async def test_a_server_that_hangs_is_unavailable_within_patience(
        self, server: Any, redis: Redis, queue: JobQueue
    ) -> None:
        impatient = JobQueue(redis, patience=0.3)
        await queue.paused()
        server.freeze()
        try:
            started = time.monotonic()
            with pytest.raises(Unavailable):
                await impatient.enqueue(IDLE, Nothing())
            assert time.monotonic() - started < SOCKET_TIMEOUT
        finally:
            server.thaw()
        assert await queue.paused() == frozenset()
