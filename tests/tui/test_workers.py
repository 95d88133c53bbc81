"""The view of workers."""

import asyncio
import os
from collections.abc import AsyncIterator
from functools import partial
from typing import cast

import pytest

from myapp.cleanup import CLEANUP_EXPIRED
from myapp.modules.sync.tasks import SYNC_DATA
from myapp.queue.keys import Key
from myapp.queue.tasks import JobContext, Nothing, build_registry
from myapp.queue.worker import Worker
from myapp.resources import Resources
from myapp.tui.views.workers import WorkersView
from tests.tui.conftest import Operator, Sit, drawn

HOSTILE = "\x1b[2Jgone"


@pytest.fixture
async def worker(resources: Resources) -> AsyncIterator[Worker]:
    """Two slots for jobs of `low` that go on until the test ends."""
    stop = asyncio.Event()

    async def go_on(_: JobContext, _payload: Nothing) -> None:
        await stop.wait()

    tasks = build_registry([(CLEANUP_EXPIRED, go_on), (SYNC_DATA, go_on)])
    worker = Worker(resources.queue_redis, tasks, queues=["low"], concurrency=2)
    running = asyncio.create_task(worker.run(stop))
    yield worker
    stop.set()
    await running


def view_of(operator: Operator) -> WorkersView:
    return cast("WorkersView", operator.app.view)


def ids(operator: Operator) -> list[str]:
    return [row.record["id"] for row in view_of(operator).rows_in_memory()]


def shows(operator: Operator, text: str) -> bool:
    return operator.app.view.NAME == "workers" and text in drawn(operator.app.view)


class TestList:
    async def test_says_what_each_runs_now(
        self, sit: Sit, resources: Resources, worker: Worker
    ) -> None:
        async with sit() as operator:
            await operator.press("4")
            await operator.until(partial(shows, operator, "idle"))
            assert "0/2" in drawn(view_of(operator))
            await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing())
            await operator.until(partial(shows, operator, "cleanup:expired "))
            assert "1/2" in drawn(view_of(operator))
            assert ids(operator) == [worker.id]

    async def test_takes_fields_and_a_text(self, sit: Sit, worker: Worker) -> None:
        async with sit() as operator:
            await operator.press("4")
            await operator.until(partial(shows, operator, "idle"))
            for typed, found in (
                (f"queue:low pid:{os.getpid()}", [worker.id]),
                ("queue:default", []),
                (worker.id[-12:], [worker.id]),
                ("host:elsewhere", []),
            ):
                await operator.filter(typed)
                await operator.until(partial(lists, operator, typed, found))

    async def test_shows_no_control_characters(
        self, sit: Sit, resources: Resources, worker: Worker
    ) -> None:
        await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing(), key="one")
        async with sit() as operator:
            await operator.press("4")
            await operator.until(partial(shows, operator, "1/2"))
            await resources.queue_redis.hset(Key.JOB % "one", "task", HOSTILE)  # type: ignore[misc]  # sync or async, says redis-py
            await operator.until(partial(shows, operator, " [2Jgone"))
            assert ids(operator) == [worker.id]
            await operator.press("enter")
            await operator.until(partial(shows, operator, "Runs now: 1"))
            assert " [2Jgone" in drawn(view_of(operator))
            assert "\x1b" not in drawn(view_of(operator))


class TestDetail:
    async def test_lists_the_jobs_and_closes_when_the_worker_is_gone(
        self, sit: Sit, resources: Resources, worker: Worker
    ) -> None:
        for task, key in ((CLEANUP_EXPIRED, "one"), (SYNC_DATA, "two")):
            await resources.jobs.enqueue(task, Nothing(), key=key)
        async with sit() as operator:
            await operator.press("4")
            await operator.until(partial(shows, operator, "2/2"))
            await operator.press("enter")
            await operator.until(partial(shows, operator, "Runs now: 2"))
            text = drawn(view_of(operator))
            assert worker.id in text
            assert "cleanup:expired  low    " in text
            assert [line.split()[-1] for line in text.splitlines() if ":" in line][-2:] == [
                "one",
                "two",
            ]
            await resources.queue_redis.delete(Key.WORKERS)
            await operator.until(lambda: view_of(operator).opened is None)
            assert operator.notices == [f"There is no worker '{worker.id}' now"]


class TestLinks:
    async def test_lead_from_a_job_to_its_worker_and_back_to_its_jobs(
        self, sit: Sit, resources: Resources, worker: Worker
    ) -> None:
        await resources.jobs.enqueue(SYNC_DATA, Nothing(), key="one")
        async with sit() as operator:
            await operator.until(lambda: worker.id[:8] in str(view_of(operator).rows_in_memory()))
            await operator.press("w")
            await operator.until(lambda: operator.status == f"1 worker · filter: {worker.id}")
            for key, prefix in (("o", "status:active "), ("O", "")):
                await operator.press(key)
                wanted = f"1 job · filter: {prefix}{worker.id}"
                await operator.until(partial(says, operator, wanted))
                await operator.press("escape")
                await operator.until(lambda: operator.app.view.NAME == "workers")


def lists(operator: Operator, typed: str, found: list[str]) -> bool:
    return ids(operator) == found and operator.status.endswith(f"filter: {typed}")


def says(operator: Operator, status: str) -> bool:
    return operator.status == status
