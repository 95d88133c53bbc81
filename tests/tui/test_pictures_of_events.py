"""What the view of live events looks like."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.events import RESYNC, Event
from myapp.modules import event
from myapp.modules.event import EventModule
from myapp.modules.event.dtos import NewEvent
from myapp.modules.event.usecases import PublishUsecase, StreamUsecase
from myapp.sse.watch import Told
from myapp.tui.views.events import EventsView
from tests.tui.conftest import NotedDashboard, Operator, drawn
from tests.tui.pictures import NOW, SIZES, Compare, dashboard_over, play

ADA = UUID("0198c5a0-91bb-7c3a-8a53-0f1d2f6c8e01")
BOB = UUID("0198c59f-77d0-7e6f-a1b2-9c8d7e6f5a4b")
NOTIFICATION = {
    "id": "0198c5a2-11aa-7d7e-bb10-3a5b9a0c4d21",
    "title": "Your order is on its way",
    "body": "It will be with you tomorrow, between 9 and 12.",
    "data": {"order": "42"},
    "created_at": "2026-03-04T12:00:00Z",
}
TOLD: list[tuple[str, UUID | None, dict[str, Any]]] = [
    ("notification.created", ADA, NOTIFICATION),
    ("order.shipped", BOB, {"order": 41, "by": "bicycle"}),
    ("sale.began", None, {"until": "2026-03-05", "percent": 20}),
    ("file.ready", ADA, {"id": "0198c5a2-2222-7d7e-bb10-3a5b9a0c4d21", "filename": "plan.pdf"}),
    ("notification.read", ADA, {"ids": None, "read_at": "2026-03-04T11:59:58Z"}),
]
SEVERAL, LOST = 60, 7


def told(number: int) -> Told:
    kind, user_id, data = TOLD[number % len(TOLD)]
    if number == LOST:
        kind, user_id, data = RESYNC, None, {}
    return Told(
        key=str(number),
        id=f"4f0c2a9be1d7.177262{number:07}.0.0.kX3vY0aQ7mXw",
        at=NOW - timedelta(milliseconds=number * 1237 + 5),
        event=Event(kind, json.dumps(data, separators=(",", ":")).encode(), user_id),
    )


class FakeWatch:
    """All at once, and then nothing more."""

    is_behind = False

    def __init__(self) -> None:
        self._left = [told(number) for number in reversed(range(SEVERAL))]

    async def listen(self) -> None:
        pass

    def rest(self) -> None:
        pass

    async def read(self) -> Sequence[Told]:
        read, self._left = self._left, []
        return read


class FakeStreams:
    """The part of StreamUsecase that is asked."""

    def watch(self, _on_news: Callable[[], None]) -> FakeWatch:
        return FakeWatch()

    async def total(self) -> int:
        return 1_234


class FakePublishing:
    """The part of PublishUsecase that is asked."""

    async def find_recipient(self, new: NewEvent) -> User | None:
        return User(id=new.user_id, email="ada@example.com", status=UserStatus.ACTIVE)


def dashboard(**options: Any) -> NotedDashboard:
    module = EventModule(
        streams=cast("StreamUsecase", FakeStreams()),
        publishing=cast("PublishUsecase", FakePublishing()),
        has_page=False,
    )
    return dashboard_over([(event, module)], EventsView, **options)


def ready(operator: Operator) -> bool:
    return operator.status == f"{SEVERAL} events"


def is_drawn(text: str) -> Callable[[Operator], bool]:
    return lambda operator: text in drawn(operator.app.screen)


def has_form(operator: Operator) -> bool:
    return isinstance(operator.app.focused, Input)


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestEvents:
    def test_list(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play("j", "j", ready=ready, until=is_drawn("stays on its event"))
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_paused(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play("p", ready=ready, until=is_drawn("PAUSED"))
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_detail(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play("enter", ready=ready, until=is_drawn('"order": "42"'))
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_form(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play("n", ready=ready, until=is_drawn("gives up"))
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_question(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        asked = play("n", ready=ready, until=has_form)
        keys = (*str(ADA), "enter", *"order.paid", "enter", "enter")
        filled_in = play(*keys, ready=has_form, until=is_drawn("No (n)"))

        async def played(pilot: Pilot[None]) -> None:
            await asked(pilot)
            await filled_in(pilot)

        assert snap_compare(dashboard(), terminal_size=size, run_before=played)


def test_in_sixteen_colours(snap_compare: Compare) -> None:
    app = dashboard()
    app.theme = "myapp-16"
    played = play("p", ready=ready, until=is_drawn("PAUSED"))
    assert snap_compare(app, terminal_size=SIZES[0], run_before=played)
