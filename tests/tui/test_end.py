"""Leaving: what is asked or done then has ended before what it needs is closed.

Python 3.11's `wait_for` loses a cancellation that comes at the moment of its answer, and redis-py
waits with it: now and then a question outlives its first cancellation.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from textual.events import Key

from myapp.audit import record_change
from myapp.cleanup import CLEANUP_EXPIRED
from myapp.modules import job
from myapp.modules.job import JobModule
from myapp.modules.job.tasks import BulkRest, finish_bulk
from myapp.modules.job.usecases import JobUsecase
from myapp.modules.stats import StatsModule
from myapp.queue.admin import JobAction, JobBoard, JobFilter
from myapp.queue.admin_bulk import CHUNK
from myapp.queue.records import JobStatus
from myapp.queue.tasks import JobContext, Nothing
from myapp.registry import Features
from myapp.resources import Resources
from myapp.tui.desk import Desk
from myapp.tui.survey import Surveyor
from myapp.tui.views.jobs import JobsView
from myapp.until import end
from tests.support.hubs import until
from tests.tui.conftest import ACTOR, Sit, sit_at


class Question:
    """One that loses its first cancellation."""

    def __init__(self) -> None:
        self.is_asked = self.has_ended = False

    async def ask(self) -> None:
        self.is_asked = True
        try:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(10)
            await asyncio.sleep(0.05)
        finally:
            self.has_ended = True


async def long() -> None:
    await asyncio.sleep(600)


async def test_the_dashboard_waits_for_what_it_has_begun(sit: Sit) -> None:
    question = Question()
    async with sit() as operator:
        operator.app.run_worker(question.ask())
        await operator.until(lambda: question.is_asked)
    assert question.has_ended


async def test_keys_behind_the_one_that_leaves_are_for_nobody(sit: Sit) -> None:
    async with sit() as operator:
        for key in ("q", "colon", "5", "question_mark"):
            operator.app.post_message(Key(key, None))
        await operator.until(lambda: not operator.app.is_running)


class Halting(JobBoard):
    """Stands still after a chunk, until that is given up."""

    halts = False

    async def change(
        self, action: JobAction, keys: Sequence[str], *, among: Iterable[JobStatus]
    ) -> list[JobStatus | None]:
        before = await super().change(action, keys, among=among)
        self.halts = True
        await long()
        return before


async def test_what_was_confirmed_is_left_to_a_task(
    resources: Resources, features: Features
) -> None:
    for _ in range(CHUNK + 1):
        await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing())
    redis = resources.queue_redis
    board = Halting(redis, ["low"])
    jobs = JobUsecase(redis, board, queue=resources.jobs, audit=record_change)
    module = replace(features.get(JobModule), jobs=jobs)
    desk = Desk(
        features=replace(features, modules=[(job, module)]), connected_to="tests", actor=ACTOR
    )
    async with sit_at(desk, [JobsView]) as operator:
        await operator.press("asterisk", "D")
        assert (await operator.question()).startswith(f"Delete all {CHUNK + 1} jobs")
        await operator.press("y")
        await operator.until(lambda: board.halts)
        await operator.press("q")
        await operator.until(lambda: not operator.app.is_running)
    assert (await jobs.find(JobFilter(), page=1, per_page=1)).total == 2
    (left,) = (await jobs.find(JobFilter(task="jobs:bulk"), page=1, per_page=1)).jobs
    rest = BulkRest.model_validate_json(json.dumps(left.payload))
    context = JobContext("k", "jobs:bulk", "low", 1, 3, None, "w")
    assert await finish_bulk(redis, resources.jobs, context, rest) == {"done": 1}


async def test_a_survey_that_is_cut_short_leaves_nothing_behind() -> None:
    question = Question()
    modules = {
        StatsModule: SimpleNamespace(
            stats=SimpleNamespace(users=question.ask, outbox=long, streams=long, processes=long)
        ),
        JobModule: None,
    }
    surveyor = Surveyor(cast("Features", SimpleNamespace(get=modules.__getitem__)))
    looking = asyncio.create_task(surveyor.look())
    await until(lambda: question.is_asked)
    await end(looking)
    assert question.has_ended


async def test_so_does_a_look_at_what_is_away() -> None:
    question = Question()
    checks: dict[str, Any] = {"database": long, "redis": question.ask}
    desk = Desk(features=cast("Features", None), connected_to="tests", checks=checks)
    looking = asyncio.create_task(desk.find_what_is_away())
    await until(lambda: question.is_asked)
    await end(looking)
    assert question.has_ended
