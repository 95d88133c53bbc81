"""Workers that die, freeze or lose touch: their jobs run again, and never twice at once."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from myapp.queue.client import JobQueue
from myapp.queue.liveness import Timings, Watch
from myapp.queue.records import JobStatus
from myapp.queue.tasks import Payload, Task

Eventually = Callable[..., Awaitable[Any]]
CREW = Path(__file__).with_name("crew.py")


class Sleep(Payload):
    seconds: float


SLEEP = Task("person:sleep", Sleep, attempts=2)


class Crew:
    """Worker processes on one server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.members: dict[int, subprocess.Popen[bytes]] = {}

    def hire(self) -> int:
        member = subprocess.Popen([sys.executable, str(CREW), self._url], stdout=subprocess.DEVNULL)
        self.members[member.pid] = member
        return member.pid

    def dismiss(self) -> None:
        for member in self.members.values():
            member.kill()
            member.wait()


@pytest.fixture
def crew(server: Any) -> Iterator[Crew]:
    crew = Crew(server.url)
    yield crew
    crew.dismiss()


async def log_of(redis: Redis) -> list[str]:
    lines: list[str] = await redis.lrange("log", 0, -1)  # type: ignore[misc]  # sync or async
    return lines


async def started_on(redis: Redis, eventually: Eventually, count: int = 1) -> int:
    """The process on which the job's n-th start was."""

    async def check() -> list[str]:
        return [line for line in await log_of(redis) if line.startswith("start")][count - 1 :]

    return int((await eventually(check))[0].split()[2])


async def test_a_killed_workers_job_runs_again_on_another(
    redis: Redis, queue: JobQueue, crew: Crew, eventually: Eventually
) -> None:
    crew.hire()
    crew.hire()
    key = await queue.enqueue(SLEEP, Sleep(seconds=3))  # it must not end before the kill
    victim = await started_on(redis, eventually)
    crew.members[victim].kill()
    heir = await started_on(redis, eventually, count=2)
    assert heir != victim

    async def done() -> bool:
        return (await queue.get(key)).status is JobStatus.COMPLETE

    await eventually(done)
    job = await queue.get(key)
    assert (job.result, job.attempts, len(job.errors)) == (heir, 1, 1)


async def test_a_worker_killed_alone_is_rescued_by_the_next_that_starts(
    redis: Redis, queue: JobQueue, crew: Crew, eventually: Eventually
) -> None:
    only = crew.hire()
    await queue.enqueue(SLEEP, Sleep(seconds=5))
    await started_on(redis, eventually)
    crew.members[only].kill()
    successor = crew.hire()
    assert await started_on(redis, eventually, count=2) == successor


async def test_a_live_long_job_is_never_doubled(
    redis: Redis, queue: JobQueue, crew: Crew, eventually: Eventually
) -> None:
    crew.hire()
    crew.hire()
    key = await queue.enqueue(SLEEP, Sleep(seconds=5))  # more than a lease and its rescue

    async def done() -> bool:
        return (await queue.get(key)).status is JobStatus.COMPLETE

    await eventually(done)
    assert len(await log_of(redis)) == 2


async def test_a_frozen_worker_finds_out_and_its_job_ends_once(
    redis: Redis, queue: JobQueue, crew: Crew, eventually: Eventually
) -> None:
    crew.hire()
    crew.hire()
    key = await queue.enqueue(SLEEP, Sleep(seconds=5))
    frozen = crew.members[await started_on(redis, eventually)]
    frozen.send_signal(signal.SIGSTOP)
    heir = await started_on(redis, eventually, count=2)
    frozen.send_signal(signal.SIGCONT)

    async def done() -> bool:
        return (await queue.get(key)).status is JobStatus.COMPLETE

    await eventually(done)
    await eventually(lambda: rejoined(redis))
    assert (await queue.get(key)).result == heir
    assert len([line for line in await log_of(redis) if line.startswith("start")]) == 2


async def rejoined(redis: Redis) -> bool:
    return len(await redis.smembers("myapp:workers")) == 2  # type: ignore[misc]  # sync or async


async def test_sigterm_puts_back_what_grace_did_not_end(
    redis: Redis, queue: JobQueue, crew: Crew, eventually: Eventually
) -> None:
    pid = crew.hire()
    key = await queue.enqueue(SLEEP, Sleep(seconds=60))
    await started_on(redis, eventually)
    crew.members[pid].send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(crew.members[pid].wait, 30) == 0
    job = await queue.get(key)
    assert (job.status, job.attempts) == (JobStatus.QUEUED, 0)


class TestWatch:
    def test_who_stands_still_for_a_lease_is_dead(self) -> None:
        watch = Watch(15)
        assert watch.observe({"a": "1", "b": "1"}, now=100) == []
        assert watch.observe({"a": "1", "b": "2"}, now=114.9) == []
        assert watch.observe({"a": "1", "b": "2"}, now=115) == ["a"]

    def test_after_a_time_without_redis_everybody_has_a_new_lease(self) -> None:
        watch = Watch(15)
        watch.observe({"a": "1"}, now=100)
        watch.forget()
        assert watch.observe({"a": "1"}, now=200) == []
        assert watch.observe({"a": "1"}, now=215) == ["a"]


def test_a_worker_doubts_itself_before_others_may() -> None:
    with pytest.raises(ValueError, match="taken for dead"):
        Timings(fence=15, lease=15)
    assert Timings().lease + 2 * Timings().beat < 30
