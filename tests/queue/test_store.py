"""The scripts: every change of a job is whole, and only its holder is heard."""

import re
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from saq.job import Status

from myapp.queue.client import JobQueue
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.queue.scripts import Scripts
from myapp.queue.store import JobLost, JobStore, StoredJob, write_result
from myapp.queue.tasks import Nothing, Task

pytestmark = pytest.mark.parametrize("server", ["valkey", "redis7"], indirect=True)

IDLE = Task("person:idle", Nothing, attempts=3)


@pytest.fixture
async def scripts(redis: Redis) -> Scripts:
    """With two workers, `a` and `b`, that are members."""
    scripts = Scripts(redis)
    for worker in "ab":
        await scripts.call("join", worker, "default,low", "{}")
    return scripts


@pytest.fixture
def store(redis: Redis) -> JobStore:
    return JobStore(redis, "default", complete_max=3)


async def take(store: JobStore, worker: str, *, known: int = 0) -> StoredJob:
    word, [job] = await store.claim(worker, known=known)
    assert word == "job"
    return job


async def index(redis: Redis, status: str) -> list[str]:
    keys: list[str] = await redis.zrange(Key.BY_STATUS % ("default", status), 0, -1)
    assert keys == await redis.zrange(Key.BY_TASK % ("default", status, IDLE.name), 0, -1)
    return keys


class Shapeless:
    """Has no text, and its own code says so in its own way."""

    def __repr__(self) -> str:
        raise AttributeError


class TestClaim:
    async def test_jobs_come_in_the_order_of_their_queueing(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        keys = [await queue.enqueue(IDLE, Nothing()) for _ in range(3)]
        assert [(await take(store, "a", known=n)).key for n in range(3)] == keys

    async def test_many_are_taken_at_once_in_their_order_and_no_more_than_wanted(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        keys = [await queue.enqueue(IDLE, Nothing()) for _ in range(4)]
        for known, limit, taken in ((0, 3, keys[:3]), (3, 3, keys[3:])):
            word, jobs = await store.claim("a", known=known, limit=limit)
            assert (word, [job.key for job in jobs]) == ("job", taken)
        assert await store.claim("a", known=4, limit=3) == ("empty", [])

    async def test_a_claimed_job_is_its_workers_at_once(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        key = await queue.enqueue(IDLE, Nothing())
        await take(store, "a")
        job = await queue.get(key)
        assert (job.status, job.worker, job.attempts) == (JobStatus.ACTIVE, "a", 1)
        assert await redis.smembers(Key.HELD % ("a", "default")) == {key}  # type: ignore[misc]  # sync or async
        assert (await index(redis, "active"), await index(redis, "queued")) == ([key], [])

    async def test_a_paused_queue_gives_nothing(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        await queue.enqueue(IDLE, Nothing())
        await queue.pause("default")
        assert (await store.claim("a", known=0))[0] == "paused"
        await queue.resume("default")
        assert (await store.claim("a", known=0))[0] == "job"

    async def test_a_claim_whose_answer_was_lost_is_put_back(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        keys = [await queue.enqueue(IDLE, Nothing()) for _ in range(2)]
        known = await take(store, "a")
        await take(store, "a", known=1)  # nobody heard of this one
        assert (await store.claim("a", known=1))[0] == "adrift"
        assert await store.reconcile("a", [known.key]) == 1
        assert (await queue.get(keys[1])).attempts == 0
        assert (await take(store, "a", known=1)).key == keys[1]

    async def test_waiting_wakes_for_a_job_and_takes_nothing(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        key = await queue.enqueue(IDLE, Nothing())
        await store.wait(5)
        assert (await take(store, "a")).key == key


class TestHolder:
    async def test_a_former_holder_is_not_heard(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        key = await queue.enqueue(IDLE, Nothing())
        stale = await take(store, "a")
        assert await scripts.call("rescue", "a", "0") == 1
        current = await take(store, "b")
        for report in (
            store.finish(stale, Status.COMPLETE, result="stale"),
            store.retry(stale, "stale"),
            store.put_back(stale),
        ):
            with pytest.raises(JobLost):
                await report
        assert (await queue.get(key)).status is JobStatus.ACTIVE
        await store.finish(current, Status.COMPLETE, result="right")
        job = await queue.get(key)
        assert (job.result, job.worker) == ("right", "b")

    async def test_a_former_holder_that_holds_again_is_not_heard_of_its_first_time(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        await queue.enqueue(IDLE, Nothing())
        stale = await take(store, "a")
        await store.put_back(stale)
        again = await take(store, "a")
        assert again.attempts == stale.attempts == 1
        with pytest.raises(JobLost):
            await store.finish(stale, Status.COMPLETE)
        await store.finish(again, Status.COMPLETE)

    async def test_a_former_holder_is_not_heard_of_another_job_with_the_same_key(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        await queue.enqueue(IDLE, Nothing(), key="k")
        stale = await take(store, "a")
        await scripts.call("rescue", "a", "0")
        await store.finish(await take(store, "b"), Status.COMPLETE)
        await queue.enqueue(IDLE, Nothing(), key="k")
        current = await take(store, "b")
        for report in (
            store.finish(stale, Status.COMPLETE),
            store.retry(stale, "stale"),
            store.put_back(stale),
        ):
            with pytest.raises(JobLost):
                await report
        assert (await queue.get("k")).status is JobStatus.ACTIVE
        await store.finish(current, Status.COMPLETE)

    async def test_a_worker_of_an_earlier_release_is_heard_and_a_former_holder_is_not(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        """It took a job by adding 1 to the number of the claim before, or to none."""
        key = await queue.enqueue(IDLE, Nothing())
        stale = await take(store, "a")
        await store.put_back(stale)
        theirs = await take(store, "b")
        await redis.hset(Key.JOB % key, "claim", str(stale.claim))  # type: ignore[misc]  # sync or async
        theirs.claim = await redis.hincrby(Key.JOB % key, "claim", 1)  # type: ignore[misc]  # sync or async
        with pytest.raises(JobLost):
            await store.finish(stale, Status.COMPLETE)
        await store.finish(theirs, Status.COMPLETE)


class TestRescue:
    async def test_every_job_of_the_dead_is_queued_again_in_front(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        keys = [await queue.enqueue(IDLE, Nothing()) for _ in range(3)]
        for n in range(2):
            await take(store, "a", known=n)
        assert await scripts.call("rescue", "a", "0") == 2
        assert {(await take(store, "b", known=n)).key for n in range(2)} == set(keys[:2])
        job = await queue.get(keys[0])
        assert (job.attempts, job.worker) == (1, "b")
        assert [each.error for each in job.errors] == ["Worker a died"]
        assert await redis.smembers(Key.WORKERS) == {"b"}  # type: ignore[misc]  # sync or async

    async def test_a_worker_whose_beat_went_on_is_left_alone(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        await queue.enqueue(IDLE, Nothing())
        job = await take(store, "a")
        await scripts.call("beat", "a", "{}")
        assert await scripts.call("rescue", "a", "0") is None
        await store.finish(job, Status.COMPLETE)

    async def test_the_rescued_cannot_take_jobs_until_it_joins_again(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        await queue.enqueue(IDLE, Nothing())
        await scripts.call("rescue", "a", "0")
        assert (await store.claim("a", known=0))[0] == "stranger"
        assert await scripts.call("beat", "a", "{}") is None

    async def test_a_job_that_kills_every_worker_ends(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        key = await queue.enqueue(IDLE, Nothing())
        for _ in range(10):
            await take(store, "a")
            await scripts.call("rescue", "a", "0")
            await scripts.call("join", "a", "default", "{}")
        job = await queue.get(key)
        assert (job.status, len(job.errors)) == (JobStatus.FAILED, 10)

    async def test_a_cancelled_job_of_the_dead_is_cancelled(
        self, queue: JobQueue, scripts: Scripts, store: JobStore
    ) -> None:
        key = await queue.enqueue(IDLE, Nothing())
        await take(store, "a")
        assert await queue.cancel(key) is JobStatus.ACTIVE
        await scripts.call("rescue", "a", "0")
        assert (await queue.get(key)).status is JobStatus.CANCELLED

    async def test_a_job_that_vanished_does_not_keep_the_others(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        keys = [await queue.enqueue(IDLE, Nothing()) for _ in range(2)]
        for n in range(2):
            await take(store, "a", known=n)
        await redis.delete(Key.JOB % keys[0])
        assert await scripts.call("rescue", "a", "0") == 1
        assert (await take(store, "b")).key == keys[1]


class TestEndedJobs:
    async def test_the_oldest_complete_jobs_beyond_the_cap_are_forgotten(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        keys = [await queue.enqueue(IDLE, Nothing(), request_id="r") for _ in range(5)]
        for _ in keys:
            await store.finish(await take(store, "a"), Status.COMPLETE)
            assert len(await index(redis, "complete")) <= 3
        assert len(await redis.keys("myapp:job:*")) == 3
        requests = await redis.zrange(Key.REQUESTS % "default", 0, -1)
        assert set(requests) == {f"r {key}" for key in await index(redis, "complete")}

    async def test_failed_jobs_are_kept_however_many(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        for _ in range(5):
            await queue.enqueue(IDLE, Nothing())
            await store.finish(await take(store, "a"), Status.FAILED, error="no")
        assert len(await index(redis, "failed")) == 5

    async def test_an_error_is_read_as_it_was_told(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        told = "a\u2028b\u2029c\x85d\r\ne"
        for _ in range(2):
            await queue.enqueue(IDLE, Nothing(), key="k")
            await store.finish(await take(store, "a"), Status.FAILED, error=told)
        assert [each.error for each in (await queue.get("k")).errors] == [told, told]

    async def test_each_is_forgotten_when_its_time_is_over(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        brief = Task(IDLE.name, Nothing, keep=timedelta(0), keep_failed=timedelta(days=7))
        for status in (Status.COMPLETE, Status.FAILED):
            await queue.enqueue(brief, Nothing())
            await store.finish(await take(store, "a"), status, error="why")
        await store.trim(limit=1)
        assert (await index(redis, "complete"), len(await index(redis, "failed"))) == ([], 1)
        (score,) = dict(await redis.zrange(Key.EXPIRY % "default", 0, -1, withscores=True)).values()
        seconds, _ = await redis.time()
        assert abs(score / 1000 - seconds - 7 * 86400) < 5

    async def test_every_key_in_redis_is_one_of_the_list(
        self, queue: JobQueue, scripts: Scripts, store: JobStore, redis: Redis
    ) -> None:
        await queue.enqueue(IDLE, Nothing(), once=True)
        await store.finish(await take(store, "a"), Status.COMPLETE)
        await queue.enqueue(IDLE, Nothing(), request_id="r")
        await take(store, "a")
        await queue.enqueue(IDLE, Nothing(), delay=9)
        await queue.pause("low")
        patterns = [re.escape(key.value).replace("%s", ".+") for key in Key]
        strays = [
            key
            for key in await redis.keys("*")
            if not any(re.fullmatch(pattern, key) for pattern in patterns)
        ]
        assert strays == []


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, ""),
        ({"a": [1, "ü"]}, '{"a":[1,"ü"]}'),
        (object, "\"<class 'object'>\""),
        ("\ud800", "\"'\\\\ud800'\""),
        (Shapeless(), '"<it cannot be shown>"'),
        ("x" * 70_000, '"A result of 70002 characters was not kept"'),
    ],
)
def test_a_result_is_json_however_odd_it_is(result: object, text: str, server: object) -> None:
    assert write_result(result) == text
