"""Redis or the database goes away under the dashboard, and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from myapp.audit import SYSTEM, record_change
from myapp.database.connection import Database, transaction
from myapp.database.engines.base import Engine
from myapp.errors import Unavailable
from myapp.modules import job
from myapp.modules.job import JobModule
from myapp.modules.job.usecases import CronUsecase, JobUsecase, QueueUsecase
from myapp.queue.admin_queues import QueueState
from myapp.queue.tasks import build_registry
from myapp.registry import Features
from myapp.resources import Resources
from myapp.tui.desk import Desk
from myapp.tui.views.audit import AuditView
from myapp.tui.views.jobs import JobsView
from myapp.until import end
from tests.support.valkey import Valkey
from tests.tui.conftest import Sit, drawn, sit_at
from tests.tui.test_jobs import keys, queue_job
from tests.tui.test_pictures_of_jobs import FakeJobs

AWAY = "Redis is out of reach"


@pytest.fixture
def redis_url(own_valkey: Valkey) -> str:
    return own_valkey.url


async def add(action: str) -> None:
    await record_change(SYSTEM, action, target_type="thing", target_id="t")


@asynccontextmanager
async def database_away(database: Database) -> AsyncIterator[None]:
    """Somebody keeps the one connection that there is, for as long."""
    held = asyncio.Event()

    async def hold() -> None:
        async with transaction():
            held.set()
            await asyncio.Event().wait()

    engine = cast("Engine", database.client)
    patience = engine.checkout_seconds
    task = asyncio.create_task(hold())
    await held.wait()
    engine.checkout_seconds = 0.2
    try:
        yield
    finally:
        engine.checkout_seconds = patience
        await end(task)


async def test_a_banner_names_what_is_away_and_the_dashboard_goes_on_by_itself(
    sit: Sit, resources: Resources, own_valkey: Valkey
) -> None:
    await queue_job(resources, "before")
    async with sit() as operator:
        await operator.until(lambda: keys(operator) == ["before"])
        own_valkey.kill()
        await operator.until(lambda: operator.banner.startswith("Redis does not answer"))
        assert keys(operator) == ["before"]
        await operator.press("x")
        await operator.question()
        assert "out of reach" in await operator.confirm()
        own_valkey.start()
        await queue_job(resources, "after")
        await operator.until(lambda: keys(operator) == ["after"] and not operator.banner)


class QueuesAway:
    """The part of QueueUsecase that is read, and never answers."""

    async def list_queues(self) -> list[QueueState]:
        raise Unavailable(AWAY)


async def test_what_made_room_for_a_detail_leaves_no_banner_behind() -> None:
    module = JobModule(
        jobs=cast("JobUsecase", FakeJobs()),
        queues=cast("QueueUsecase", QueuesAway()),
        clockwork=cast("CronUsecase", None),
    )
    features = Features(modules=[(job, module)], tasks=build_registry([], []))
    desk = Desk(features=features, connected_to="tests", refresh=0.1)
    async with sit_at(desk, (JobsView,)) as operator:
        await operator.until(lambda: keys(operator) and operator.banner)
        assert operator.banner.startswith(AWAY)
        await operator.press("enter")
        await operator.until(lambda: operator.app.view.has_class("-opened"))
        await operator.until(lambda: not operator.banner)
        await operator.press("escape")
        await operator.until(lambda: operator.banner.startswith(AWAY))


async def test_it_goes_on_without_the_database_and_with_it_again(
    sit: Sit, resources: Resources
) -> None:
    if resources.database.dialect != "sqlite":
        pytest.skip("A server has more connections than one test can keep")
    await add("thing.before")
    async with sit(views=(AuditView, JobsView)) as operator:
        await operator.until(lambda: operator.status == "1 record")
        async with database_away(resources.database):
            await operator.until(lambda: operator.banner.startswith("The database does not answer"))
            assert "thing.before" in drawn(operator.app.view)
            await operator.press("enter", "2")
            await operator.until(lambda: operator.app.view.NAME == "jobs")
            await operator.until(lambda: operator.status == "0 jobs" and not operator.banner)
            await operator.press("8")
            await operator.until(lambda: operator.banner)
        await add("thing.after")
        await operator.until(lambda: not operator.banner)
        await operator.press("escape")
        await operator.until(lambda: "thing.after" in drawn(operator.app.view))
