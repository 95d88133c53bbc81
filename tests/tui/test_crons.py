"""The view of crons."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import cast

import pytest

from myapp.cleanup import CLEANUP_EXPIRED
from myapp.modules.job import JobModule
from myapp.queue.scheduler import Scheduler
from myapp.queue.tasks import JobContext, Nothing, build_registry
from myapp.queue.worker import Worker
from myapp.registry import Features
from myapp.resources import Resources
from myapp.tui.views.crons import CronsView
from tests.tui.conftest import Operator, Sit, audited, drawn

NAMES = ["cleanup-expired", "notification-recover", "sync-data"]
HOSTILE = "\x1b[2Jgone [bold]\r"
DAY = 86_400.0


def view_of(operator: Operator) -> CronsView:
    return cast("CronsView", operator.app.view)


def names(operator: Operator) -> list[str]:
    return [cron.name for cron in view_of(operator).rows_in_memory()]


async def come(operator: Operator) -> None:
    """To the view, with its crons on the screen."""
    await operator.press("3")
    await operator.until(lambda: operator.app.view.NAME == "crons" and names(operator) == NAMES)


def row_of(operator: Operator, name: str) -> str:
    """The line of a cron, without the spaces between its cells."""
    lines = drawn(view_of(operator)).splitlines()
    return " ".join(next((line for line in lines if line.startswith(name)), "").split())


async def run_scheduler(resources: Resources, features: Features, *, ago: float) -> None:
    """One whose clock was that much behind, until it has announced every cron."""
    stop = asyncio.Event()
    scheduler = Scheduler(
        resources.queue_redis,
        features.tasks.crons.values(),
        clock=lambda: time.time() - ago,
    )
    running = asyncio.create_task(scheduler.run(stop))
    clockwork = features.get(JobModule).clockwork
    while not all(cron.next_run_at for cron in await clockwork.list()):  # noqa: ASYNC110  # Redis sets no event
        await asyncio.sleep(0.01)
    stop.set()
    await running


class TestList:
    async def test_says_when_each_runs_next(
        self, sit: Sit, resources: Resources, features: Features
    ) -> None:
        async with sit() as operator:
            await come(operator)
            assert row_of(operator, "sync-data").endswith("daily at 03:00 UTC unknown never -")
            await run_scheduler(resources, features, ago=0)
            await operator.until(lambda: "daily at 03:00 UTC in " in row_of(operator, "sync-data"))

    async def test_says_so_when_no_scheduler_saw_to_one(
        self, sit: Sit, resources: Resources, features: Features
    ) -> None:
        await run_scheduler(resources, features, ago=3 * DAY)
        async with sit() as operator:
            await come(operator)
            await operator.until(lambda: "2d late never" in row_of(operator, "sync-data"))

    async def test_takes_a_part_of_a_name_or_task(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            for typed, found in (("expired", NAMES[:1]), ("sync:", NAMES[2:]), ("odd", [])):
                await operator.filter(typed)
                await operator.until(partial(shows, operator, found))


class TestActions:
    async def test_run_its_task_now_and_leave_a_record(
        self, sit: Sit, resources: Resources
    ) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.press("n")
            assert (await operator.question()).startswith("Run cron cleanup-expired?\n\nIt will")
            assert await operator.confirm() == "cleanup-expired has its task queued"
            await operator.until(lambda: row_of(operator, NAMES[0]).endswith(" queued"))
            await operator.press("enter")
            await operator.until(lambda: "cron:cleanup-expired:" in drawn(view_of(operator)))
        assert await audited() == [("tui", "ada", "cron.run", "cleanup-expired")]

    async def test_pause_and_resume(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            for verb, paused in (("Pause", True), ("Resume", False)):
                await operator.press("p")
                assert (await operator.question()).startswith(f"{verb} cron cleanup-expired?")
                await operator.confirm()
                await operator.until(partial(is_paused, operator, paused))
        done = ("cron.paused", "cron.resumed")
        assert await audited() == [("tui", "ada", action, "cleanup-expired") for action in done]

    async def test_are_forbidden_while_reading_only(self, sit: Sit) -> None:
        async with sit(readonly=True) as operator:
            await come(operator)
            for number, key in enumerate(("n", "p"), 1):
                await operator.press(key)
                await operator.until(partial(operator.has_notices, number))
            assert {"--readonly" in notice for notice in operator.notices} == {True}
        assert await audited() == []


class TestDetail:
    @pytest.fixture
    async def worker(self, resources: Resources) -> AsyncIterator[None]:
        """Fails every cleanup with a text that would drive the terminal."""

        async def fail(_: JobContext, _payload: Nothing) -> None:
            raise RuntimeError(HOSTILE)

        stop = asyncio.Event()
        worker = Worker(resources.queue_redis, build_registry([(CLEANUP_EXPIRED, fail)]))
        running = asyncio.create_task(worker.run(stop))
        yield
        stop.set()
        await running

    @pytest.mark.usefixtures("worker")
    async def test_tells_why_the_last_run_failed(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.press("n")
            await operator.question()
            await operator.confirm()
            await operator.press("enter")
            await operator.until(lambda: "Attempt 1" in drawn(view_of(operator)))
            await operator.press(*["j"] * 30)
            await operator.until(lambda: "gone [bold]" in drawn(view_of(operator)))
            assert "\x1b" not in drawn(view_of(operator))


class TestLinks:
    async def test_lead_to_the_jobs_of_its_task_and_back(
        self, sit: Sit, resources: Resources
    ) -> None:
        await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing(), key="one")
        async with sit() as operator:
            await come(operator)
            await operator.press("o")
            await operator.until(lambda: operator.status == "1 job · filter: task:cleanup:expired")
            await operator.press("escape")
            await operator.until(lambda: operator.app.view.NAME == "crons")

    async def test_lead_to_what_was_done_to_it(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.press("p")
            await operator.question()
            await operator.confirm()
            await operator.press("a")
            await operator.until(
                lambda: operator.status == "1 record · filter: target_id:cleanup-expired"
            )


def shows(operator: Operator, found: list[str]) -> bool:
    return names(operator) == found and "filter:" in operator.status


def is_paused(operator: Operator, paused: bool) -> bool:
    """Whether the list shows its first cron so."""
    row = view_of(operator).rows_in_memory()[0]
    return row.paused == paused and ("paused" in row_of(operator, NAMES[0])) == paused
