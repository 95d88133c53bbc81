"""Leaving: what is asked or done then has ended before what it needs is closed.

Python 3.11's `wait_for` loses a cancellation that comes at the moment of its answer, and redis-py
waits with it: now and then a question outlives its first cancellation.
"""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

from textual.events import Key

from myapp.modules.job import JobModule
from myapp.modules.stats import StatsModule
from myapp.registry import Features
from myapp.tui.desk import Desk
from myapp.tui.survey import Surveyor
from myapp.until import end
from tests.support.hubs import until
from tests.tui.conftest import Sit


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
    await asyncio.sleep(10)


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
