"""The overview."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

import pytest
from textual.events import Key
from textual.widgets import Static

from myapp.cleanup import CLEANUP_EXPIRED
from myapp.database.outbox import OutboxKind, OutboxRow
from myapp.database.user import User
from myapp.enums import Role, UserStatus
from myapp.middleware.metrics import HttpMetrics
from myapp.processes import Presence
from myapp.queue.tasks import Nothing
from myapp.resources import Resources
from myapp.tui.app import VIEWS
from myapp.tui.dialogs import Details
from myapp.tui.paged_table import PagedTable
from myapp.tui.tile import Tile
from tests.support.valkey import Valkey
from tests.tui.conftest import Operator, Sit, audited, drawn

HOSTILE = "\x1b[2Jgone [bold]"


@pytest.fixture
def overview(sit: Sit) -> Sit:
    return partial(sit, views=VIEWS)


@pytest.fixture
async def serving(resources: Resources) -> AsyncIterator[HttpMetrics]:
    """A process that says often what it has served."""
    http = HttpMetrics(resources.metrics)
    async with Presence(resources.redis, resources.metrics, roles=list(Role), beat=0.1):
        yield http


def tile(operator: Operator, name: str) -> Tile:
    return operator.app.view.query_one(f"#tile-{name}", Tile)


def reads(operator: Operator, name: str, text: str) -> bool:
    return text in drawn(tile(operator, name))


def is_at(operator: Operator, name: str) -> bool:
    focused = operator.app.focused
    return focused is not None and focused.id == f"tile-{name}"


def sees(operator: Operator, view: str, status: str) -> bool:
    return (operator.app.view.NAME, operator.status) == (view, status)


def reading(operator: Operator) -> str:
    """What the dialog says."""
    bodies = operator.app.screen.query(Static)
    return "\n".join(drawn(body) for body in bodies)


class TestTiles:
    async def test_show_what_is_and_what_is_unknown(
        self, overview: Sit, resources: Resources
    ) -> None:
        await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing())
        await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing(), delay=60)
        for status in (UserStatus.ACTIVE, UserStatus.SUSPENDED):
            await User.create(status=status)
        async with overview() as operator:
            for name, text in (
                ("requests", "none"),
                ("errors", "no API process"),
                ("waiting", "1 later"),
                ("streams", "0"),
                ("failures", "0/min"),
                ("outbox", "0 wait, 0 stuck"),
                ("users", "1 suspended"),
                ("users", "0 deleted"),
                ("workers", "none"),
                ("crons", "none is due"),
            ):
                await operator.until(partial(reads, operator, name, text))
            assert operator.status == "0 processes"

    async def test_reckon_rates_from_what_processes_say(
        self, overview: Sit, serving: HttpMetrics
    ) -> None:
        async with overview() as operator:
            await operator.until(partial(reads, operator, "errors", "no requests"))
            assert reads(operator, "requests", "0/s")

            def busy() -> bool:
                serving.observe("GET", "/ready", 200, 0.02)
                serving.observe("GET", "/ready", 503, 0.02)
                return reads(operator, "errors", "50.0%") and reads(operator, "latency", "24 ms")

            await operator.until(busy)
            assert reads(operator, "requests", "1 API process")
            assert operator.status == "1 process"
            assert "all " in drawn(operator.app.view.query_one(PagedTable))

    async def test_have_bars_of_what_was_also_while_another_view_is_shown(
        self, overview: Sit, resources: Resources
    ) -> None:
        await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing())
        async with overview() as operator:
            await operator.until(partial(reads, operator, "waiting", "█"))
            await operator.press("2")
            await operator.until(lambda: operator.app.view.NAME == "jobs")
            await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing())
            hidden = operator.app.query_one("#tile-waiting", Tile)
            await operator.until(lambda: hidden.reading.number == 2)
            await operator.press("1")
            await operator.until(partial(reads, operator, "waiting", "▄"))

    async def test_lead_to_what_is_behind_them_and_back(
        self, overview: Sit, resources: Resources
    ) -> None:
        await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing())
        async with overview() as operator:
            for at, keys, view, status in (
                ("waiting", ["down"], "jobs", "1 job · filter: status:queued"),
                ("queue-latency", ["right"], "jobs", "1 job · filter: status:queued"),
                ("done", ["l"], "jobs", "1 job"),
                ("failures", ["l"], "jobs", "0 jobs · filter: status:failed"),
                ("crons", ["j"], "crons", "3 crons"),
                ("workers", ["h"], "workers", "0 workers"),
            ):
                await operator.press(*keys)
                await operator.until(partial(is_at, operator, at))
                await operator.press("enter")
                await operator.until(partial(sees, operator, view, status))
                await operator.press("escape")
                await operator.until(lambda: operator.app.view.NAME == "overview")
                await operator.until(partial(is_at, operator, at))

    async def test_are_reached_by_keys_that_come_at_once(self, overview: Sit) -> None:
        async with overview() as operator:
            await operator.until(partial(is_at, operator, "requests"))
            for key in ("down", "down", "right", "right", "right", "enter"):
                operator.app.post_message(Key(key, None))
            await operator.until(partial(sees, operator, "crons", "3 crons"))

    async def test_are_clicked_too(self, overview: Sit) -> None:
        async with overview() as operator:
            await operator.until(partial(reads, operator, "crons", "none is due"))
            await operator.click("#tile-crons")
            await operator.until(partial(sees, operator, "crons", "3 crons"))

    async def test_of_views_that_are_there_name_them(self, overview: Sit) -> None:
        async with overview() as operator:
            tiles = operator.app.view.query(Tile)
            views = {each.gauge.view for each in tiles} - {None}
            assert views == {"jobs", "workers", "crons", "users", "events"}

    async def test_of_http_lead_to_the_processes(self, overview: Sit, serving: HttpMetrics) -> None:
        async with overview() as operator:
            await operator.until(lambda: operator.status == "1 process")
            await operator.press("enter")
            await operator.until(lambda: isinstance(operator.app.focused, PagedTable))
            await operator.press("escape")
            await operator.until(partial(is_at, operator, "requests"))


class TestProcesses:
    async def test_open_and_lead_to_their_workers(
        self, overview: Sit, resources: Resources
    ) -> None:
        async with AsyncExitStack() as stack:
            for role in (Role.WORKER, Role.SCHEDULER):
                presence = Presence(resources.redis, resources.metrics, roles=[role], beat=0.1)
                await stack.enter_async_context(presence)
            operator = await stack.enter_async_context(overview())
            await operator.until(lambda: operator.status == "2 processes")
            await operator.press(*["down"] * 3, "enter")
            await operator.until(lambda: isinstance(operator.app.screen, Details))
            await operator.until(lambda: "of a core" in reading(operator))
            await operator.press("escape")
            await operator.until(lambda: len(operator.app.screen_stack) == 1)
            await operator.press("j", "w")
            await operator.until(lambda: operator.notices)
            assert operator.notices == ["Worker: there is none for this process"]
            await operator.press("k", "w")
            await operator.until(lambda: operator.app.view.NAME == "workers")
            assert "filter: host:" in operator.status


class TestOutbox:
    async def test_tells_what_is_stuck_and_why(self, overview: Sit) -> None:
        row = OutboxRow(kind=OutboxKind.JOB, name="old:task", payload="{}")
        await row.save()
        await row.refuse(HOSTILE, retry_at=None, set_aside_at=datetime.now(UTC))
        async with overview() as operator:
            await operator.until(partial(reads, operator, "outbox", "1 stuck"))
            await operator.press("down", "down", "enter")
            await operator.until(lambda: isinstance(operator.app.screen, Details))
            await operator.until(lambda: "1 row is stuck" in reading(operator))
            assert "job old:task: stuck" in reading(operator)
            assert " [2Jgone [bold]" in reading(operator)
            assert "\x1b" not in reading(operator)


class TestReadingOnly:
    async def test_is_all_that_it_does(self, overview: Sit) -> None:
        async with overview(readonly=True) as operator:
            await operator.until(partial(reads, operator, "users", "suspended"))
            await operator.press("enter", "escape", "down", "p", "x", "D", "r")
            await operator.until(partial(reads, operator, "users", "suspended"))
        assert await audited() == []


class TestWithoutRedis:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_shows_what_the_database_knows(self, overview: Sit, own_valkey: Valkey) -> None:
        await User.create()
        async with overview() as operator:
            await operator.until(partial(reads, operator, "waiting", "0"))
            own_valkey.kill()
            for name in ("requests", "streams", "waiting", "failures", "workers", "crons"):
                await operator.until(partial(reads, operator, name, "unknown"))
            await operator.until(partial(reads, operator, "waiting", "·"))
            await operator.until(lambda: operator.banner.startswith("Redis does not answer"))
            assert reads(operator, "users", "1")
            own_valkey.start()
            await operator.until(partial(reads, operator, "failures", "0/min"))
            await operator.until(lambda: not operator.banner)
