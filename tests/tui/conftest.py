"""The dashboard over real resources, with keys pressed and the screen read."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from textual.app import ComposeResult
from textual.events import Key
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, Static

from myapp.audit import Actor
from myapp.database.audit import ActorType, AuditRecord
from myapp.registry import Features
from myapp.resources import Resources
from myapp.tui.app import VIEWS, Dashboard
from myapp.tui.desk import Desk
from myapp.tui.dialogs import Confirm, Form
from myapp.tui.view import Place, View
from tests.conftest import LoopFactories

# Without the overview, which asks for everything all the time; its own tests have it.
LISTS: Sequence[type[View]] = [view for view in VIEWS if not view.KEEPS_UP]
PATIENCE_SECONDS = 20.0
ACTOR = Actor(ActorType.TUI, "ada")


def pytest_asyncio_loop_factories() -> LoopFactories:
    """The event loop of commands."""
    return {"asyncio": asyncio.new_event_loop}


class NotedDashboard(Dashboard):
    """Keeps its notices: on the screen they come a moment later, and go by themselves."""

    def __init__(self, desk: Desk, **options: Any) -> None:
        super().__init__(desk, **options)
        self.notices: list[str] = []

    def notify(self, message: str, **options: Any) -> None:
        self.notices.append(message)
        super().notify(message, **options)


class Operator:
    """Somebody at the keys. Whatever takes time is waited for."""

    def __init__(self, app: NotedDashboard, pilot: Pilot[None]) -> None:
        self.app = app
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """By their names; not with the pilot's own way, which waits for an idle process."""
        for key in keys:
            await self._send(Key(key, key if len(key) == 1 else None))

    async def type(self, text: str) -> None:
        """As fast as it is pasted."""
        for each in text:
            self.app.post_message(Key(each, each))
        await self._settle()

    async def click(
        self, target: Widget | str, *, at: tuple[int, int] = (0, 0), times: int = 1
    ) -> None:
        """With the mouse, at a column and a line of a widget."""
        await self._pilot.click(target, offset=at, times=times)

    async def resize(self, width: int, height: int) -> None:
        await self._pilot.resize_terminal(width, height)

    async def filter(self, text: str) -> None:
        """Replaces what the list is filtered by."""
        await self.press("slash")
        field = await self.until(lambda: isinstance(self.app.focused, Input) and self.app.focused)
        field.value = ""
        await self.type(text)
        await self.press("enter")
        await self.until(lambda: not isinstance(self.app.focused, Input))

    async def _send(self, key: Key) -> None:
        self.app.post_message(key)
        await self._settle()

    async def _settle(self) -> None:
        """A key's way goes from the application to what has the focus, and up to a binding."""
        await self._pilot.pause(0)
        await self._pilot.pause(0)

    async def until(self, check: Callable[[], Any]) -> Any:
        """What `check` answers, once that is true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = check()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return answer
            assert time.monotonic() < deadline, "\n".join([*self.notices, self.status])
            await self._pilot.pause(0.01)

    async def question(self) -> str:
        """What the dashboard asks, once it can be read."""
        await self.until(
            lambda: isinstance(self.app.screen, Confirm) and self.app.screen.is_readable
        )
        return str(self.app.screen.query_one("#question", Static).content)

    async def confirm(self) -> str:
        """Says yes, and waits for the notice that tells what came of it."""
        await self.question()
        before = len(self.notices)
        await self.press("y")
        await self.until(lambda: len(self.notices) > before)
        return self.notices[-1]

    @property
    def faults(self) -> list[str]:
        """What the form says of each of its fields, and at last what it says at its foot."""
        assert isinstance(self.app.screen, Form)
        shown = self.app.screen.query(".fault, #foot").results(Static)
        return [str(each.content) for each in shown]

    def has_focus(self, field: Widget) -> bool:
        return self.app.focused is field

    @property
    def notices(self) -> list[str]:
        return self.app.notices

    def has_notices(self, number: int) -> bool:
        return len(self.notices) >= number

    def has_notice(self, text: str) -> bool:
        return text in self.notices

    @property
    def status(self) -> str:
        """The line under the table."""
        return str(self.app.view.query(".status").last(Static).content)

    @property
    def banner(self) -> str:
        """What it says of an outage, empty without one."""
        banner = self.app.screen_stack[0].query_one("#banner", Static)
        return str(banner.content) if banner.has_class("-shown") else ""


Sit = Callable[..., AbstractAsyncContextManager[Operator]]


class Elsewhere(View):
    """Where a link may lead to: it only remembers with which filter."""

    place: Place

    def compose(self) -> ComposeResult:
        yield Static(classes="status")

    async def refresh_view(self) -> None:
        pass

    def go_to(self, place: Place) -> None:
        self.place = place


class Users(Elsewhere):
    NAME, TITLE, KEY = "users", "Users", "5"


class Jobs(Elsewhere):
    NAME, TITLE, KEY = "jobs", "Jobs", "2"


class Crons(Elsewhere):
    NAME, TITLE, KEY = "crons", "Crons", "3"


class ApiKeys(Elsewhere):
    NAME, TITLE, KEY = "api_keys", "API keys", "6"


class Events(Elsewhere):
    NAME, TITLE, KEY = "events", "Events", "7"


class Audit(Elsewhere):
    NAME, TITLE, KEY = "audit", "Audit", "8"


@asynccontextmanager
async def sit_at(desk: Desk, views: Sequence[type[View]] = VIEWS) -> AsyncIterator[Operator]:
    app = NotedDashboard(desk, views=views)
    async with app.run_test(size=(80, 24)) as pilot:
        yield Operator(app, pilot)


@pytest.fixture
def sit(resources: Resources, features: Features) -> Sit:
    """`async with sit(readonly=True) as operator:` runs the dashboard for as long."""

    def run(
        *, views: Sequence[type[View]] = LISTS, **options: Any
    ) -> AbstractAsyncContextManager[Operator]:
        options = {"refresh": 0.1, "actor": ACTOR, "checks": resources.checks(), **options}
        return sit_at(Desk(features=features, connected_to="tests", **options), views)

    return run


async def audited() -> list[tuple[str, str, str, str]]:
    """Who did what to what, the oldest first."""
    records = await AuditRecord.all().order_by("id")
    return [(one.actor_type, str(one.actor_id), one.action, one.target_id) for one in records]


def drawn(widget: Widget) -> str:
    """What is on the screen of a widget, as text."""
    screen = widget.screen
    strips = screen._compositor.render_strips()
    region = widget.region
    lines = [strip.crop(region.x, region.right).text for strip in strips]
    return "\n".join(lines[region.y : region.bottom])
