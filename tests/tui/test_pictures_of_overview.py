"""What the overview looks like."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from myapp.database.outbox import OutboxKind, OutboxRow
from myapp.errors import Unavailable
from myapp.modules import job, stats
from myapp.modules.job import JobModule
from myapp.modules.job.usecases import CronUsecase, QueueUsecase
from myapp.modules.stats import StatsModule
from myapp.modules.stats.dtos import OutboxNumbers, UserNumbers
from myapp.modules.stats.usecases import StatsUsecase
from myapp.processes import ProcessState
from myapp.queue.admin_queues import QueueState, WorkerState
from myapp.queue.crons import CronState
from myapp.queue.records import JobStatus
from myapp.tui.app import Dashboard
from myapp.tui.tile import Tile
from myapp.tui.views.overview import OverviewView
from tests.tui.conftest import Operator, drawn
from tests.tui.pictures import NOW, SIZES, Compare, dashboard_over, play
from tests.tui.test_pictures_of_crons import CRONS
from tests.tui.test_pictures_of_workers import WORKERS

LOOKS = 30  # so many samples are behind each tile's bars
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "+Inf")


def wave(look: int, *, low: float, high: float) -> float:
    """Goes up and down between the two, the same each time."""
    return low + (high - low) * (0.5 + 0.3 * math.sin(look / 5) + 0.2 * math.sin(look * 1.7))


def process_of(number: int, role: str, look: int) -> ProcessState:
    serves, works = role in ("api", "all"), role in ("worker", "all")
    requests = round(sum(wave(each, low=300, high=1700) for each in range(look))) // number
    return ProcessState(
        id=f"0198c59f-11ab-7e10-8d1c-3c5b7a9d0e{number:02}",
        role=role,
        roles=[role],
        host=f"myapp-{role}-{number}",
        pid=40 + number,
        version="0.1.0",
        started_at=NOW - timedelta(hours=5 * number),
        measured_at=NOW + timedelta(seconds=2 * (look - LOOKS)),
        memory_mb=72.0 + 9 * number,
        cpu_seconds=look * 0.31 * number,
        requests=requests if serves else None,
        errors=look * 2 if serves else None,
        requests_within={
            bound: round(requests * min(1.0, 0.6 + place * 0.12))
            for place, bound in enumerate(BOUNDS)
        }
        if serves
        else None,
        streams=420 if serves else None,
        jobs_done=look * 37 if works else None,
        jobs_failed=look if works else None,
    )


class FakeStats:
    """The part of StatsUsecase that is read, a moment later each time."""

    def __init__(self, *, away: bool) -> None:
        self._away = away
        self.look = 0

    async def users(self) -> UserNumbers:
        return UserNumbers(active=103_482, suspended=17, deleted=230, administrators=3)

    async def outbox(self) -> OutboxNumbers:
        self.look += 1
        oldest = NOW - timedelta(seconds=wave(self.look, low=0, high=4))
        return OutboxNumbers(waiting=12, oldest=oldest, set_aside=2)

    async def list_set_aside(self, _limit: int) -> Sequence[OutboxRow]:
        row = OutboxRow(
            id=7_301,
            kind=OutboxKind.JOB,
            name="invoice:send",
            payload="{}",
            error="NotFound: There is no task 'invoice:send'",
            set_aside_at=NOW - timedelta(minutes=12),
        )
        return [row, row]

    async def streams(self) -> int:
        self._answer()
        return round(wave(self.look, low=500, high=840))

    async def processes(self) -> Sequence[ProcessState]:
        self._answer()
        roles = ("api", "api", "worker", "scheduler", "grpc")
        return [process_of(number, role, self.look) for number, role in enumerate(roles, 1)]

    def _answer(self) -> None:
        if self._away:
            raise Unavailable("The queue is out of reach for the moment")


class FakeQueues:
    """The part of QueueUsecase that is read."""

    def __init__(self, stats: FakeStats) -> None:
        self._stats = stats

    async def list_queues(self) -> list[QueueState]:
        self._stats._answer()
        look = self._stats.look
        counts = {status: 100 * number for number, status in enumerate(JobStatus)}
        default = QueueState(
            "default",
            paused=False,
            counts={**counts, JobStatus.QUEUED: round(wave(look, low=0, high=3000))},
            latency_seconds=wave(look, low=0, high=9),
            processed_per_minute=round(wave(look, low=900, high=1300)),
            failed_per_minute=3 if look % 20 > 15 else 0,
        )
        return [default, replace(default, name="low", latency_seconds=0.0)]

    async def list_workers(self) -> list[WorkerState]:
        self._stats._answer()
        return WORKERS


class FakeCrons:
    """The part of CronUsecase that is read."""

    def __init__(self, stats: FakeStats) -> None:
        self._stats = stats

    async def list(self) -> list[CronState]:
        self._stats._answer()
        return CRONS[:-1]


def dashboard(*, away: bool = False, **options: Any) -> Dashboard:
    numbers = FakeStats(away=away)
    modules = [
        (
            job,
            JobModule(
                jobs=cast("Any", None),
                queues=cast("QueueUsecase", FakeQueues(numbers)),
                clockwork=cast("CronUsecase", FakeCrons(numbers)),
            ),
        ),
        (
            stats,
            StatsModule(
                stats=cast("StatsUsecase", numbers),
                metrics=cast("Any", None),
                open_to_loopback=True,
            ),
        ),
    ]
    return dashboard_over(modules, OverviewView, **options)


async def look_often(operator: Operator) -> bool:
    """Makes the samples; the first comes by itself."""
    view = operator.app.view
    tile = view.query_one("#tile-users", Tile)
    await operator.until(lambda: tile.reading.note)
    for _ in range(LOOKS - 1):
        await view.refresh_view()
    return True


async def fail_often(operator: Operator) -> bool:
    """Makes three samples while Redis is away, and no more after them."""
    view = cast("OverviewView", operator.app.view)
    await operator.until(lambda: operator.banner)
    operator.app.workers.cancel_group(view, "refresh")
    cast("FakeStats", operator.app.desk.features.get(StatsModule).stats).look = 0
    for tile in view.query(Tile):
        tile._history.clear()
    for _ in range(3):
        with suppress(Unavailable):
            await view.refresh_view()
    return True


def has_banner(operator: Operator) -> bool:
    return bool(operator.banner)


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestOverview:
    def test_tiles_and_processes(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play("down", "right", ready=look_often, until=shows)
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_without_redis(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(ready=fail_often, until=has_banner)
        assert snap_compare(dashboard(away=True), terminal_size=size, run_before=played)


def test_outbox(snap_compare: Compare) -> None:
    played = play(
        "down",
        "down",
        "enter",
        ready=look_often,
        until=lambda operator: "invoice:send" in drawn(operator.app.screen),
    )
    assert snap_compare(dashboard(), terminal_size=SIZES[0], run_before=played)


def test_process(snap_compare: Compare) -> None:
    played = play(
        *["down"] * 3,
        "enter",
        ready=look_often,
        until=lambda operator: "of a core" in drawn(operator.app.screen),
    )
    assert snap_compare(dashboard(), terminal_size=SIZES[0], run_before=played)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_in_sixteen_colours(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = dashboard()
    app.theme = "myapp-16"
    played = play("down", ready=look_often, until=shows)
    assert snap_compare(app, terminal_size=size, run_before=played)


def shows(operator: Operator) -> bool:
    return "5 processes" in operator.status and "scheduler" in drawn(operator.app.view)
