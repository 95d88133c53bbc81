"""What the tests of pictures share: `pytest --snapshot-update` draws them anew."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from textual.pilot import Pilot
from textual.widgets import Input

from myapp.queue.tasks import build_registry
from myapp.registry import Features
from myapp.tui.desk import Desk
from myapp.tui.view import View
from tests.tui.conftest import ACTOR, NotedDashboard, Operator

Compare = Callable[..., bool]
Check = Callable[[Operator], object]

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
SIZES = [(80, 24), (120, 40)]  # the two that matter


def dashboard_over(
    modules: Sequence[tuple[Any, Any]], view: type[View], **options: Any
) -> NotedDashboard:
    """A dashboard at a view, whose time stands still, over modules that answer always the same."""
    desk = Desk(
        features=Features(modules=modules, tasks=build_registry([], [])),
        connected_to="sqlite | redis",
        refresh=3600.0,
        now=lambda: NOW,
        actor=ACTOR,
        **options,
    )
    return NotedDashboard(desk, first=view)


def play(*keys: str, ready: Check, until: Check) -> Callable[[Pilot[None]], Any]:
    """Presses keys once it is ready, and waits for what they lead to."""

    async def run(pilot: Pilot[None]) -> None:
        operator = Operator(cast("NotedDashboard", pilot.app), pilot)
        await operator.until(lambda: ready(operator))
        await operator.press(*keys)
        await operator.until(lambda: until(operator))
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False  # or it is in the picture or not, as time has it
        await pilot.pause()

    return run
