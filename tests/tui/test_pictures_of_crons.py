"""What the view of crons looks like."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from myapp.modules import job
from myapp.modules.job import JobModule
from myapp.modules.job.usecases import CronUsecase, JobUsecase
from myapp.queue.admin import FoundJobs, JobFilter
from myapp.queue.crons import CronState
from myapp.queue.records import JobError, JobRecord, JobStatus
from myapp.tui.app import Dashboard
from myapp.tui.views.crons import CronsView
from tests.tui.conftest import Operator, drawn
from tests.tui.pictures import NOW, SIZES, Compare, dashboard_over, play

ERROR = """Traceback (most recent call last):
  File "myapp/modules/sync/usecases.py", line 88, in sync
    raise Unavailable("Firebase does not answer")
myapp.errors.Unavailable: Firebase does not answer"""


def cron_of(name: str, task: str, schedule: str, status: JobStatus | None) -> CronState:
    return CronState(
        name=name,
        task=task,
        schedule=schedule,
        paused=False,
        next_run_at=NOW + timedelta(minutes=3),
        last_run_at=NOW - timedelta(minutes=57) if status else None,
        last_status=status,
    )


CRONS = [
    cron_of("cleanup-expired", "cleanup:expired", "0 * * * *", JobStatus.COMPLETE),
    replace(
        cron_of("invoices-monthly", "invoice:send", "0 6 1 * *", None),
        next_run_at=NOW + timedelta(days=27),
    ),
    cron_of("notification-recover", "notification:recover", "*/5 * * * *", JobStatus.ACTIVE),
    replace(cron_of("report", "report:make", "0 9 * * 1-5", JobStatus.COMPLETE), paused=True),
    replace(
        cron_of("sync-data", "sync:data", "0 3 * * *", JobStatus.FAILED),
        next_run_at=NOW + timedelta(hours=15),
        last_run_at=NOW - timedelta(hours=9),
    ),
    replace(
        cron_of("warm-up", "cache:warm", "0 */2 * * *", JobStatus.COMPLETE),
        next_run_at=NOW - timedelta(minutes=4),
    ),
]


def run_of(number: int) -> JobRecord:
    began = NOW - timedelta(days=number, hours=9)
    failed = number == 0
    return JobRecord(
        key=f"cron:sync-data:{int(began.timestamp())}",
        task="sync:data",
        queue="low",
        status=JobStatus.FAILED if failed else JobStatus.COMPLETE,
        payload={},
        attempts=2 if failed else 1,
        max_attempts=2,
        errors=(JobError(2, began, ERROR),) if failed else (),
        result=None if failed else {"changed": number},
        request_id=None,
        worker="worker-1",
        enqueued_at=began,
        scheduled_at=None,
        started_at=began,
        finished_at=began + timedelta(seconds=4.2 + number),
    )


class FakeCrons:
    """The part of CronUsecase that is read."""

    async def list(self) -> list[CronState]:
        return CRONS

    async def get(self, name: str) -> CronState:
        return next(cron for cron in CRONS if cron.name == name)


class FakeJobs:
    """The part of JobUsecase that is read."""

    async def find(self, chosen: JobFilter, **_: int) -> FoundJobs:
        runs = [run_of(number) for number in range(4)]
        return FoundJobs(runs, len(runs))


def dashboard() -> Dashboard:
    module = JobModule(
        jobs=cast("JobUsecase", FakeJobs()),
        queues=cast("Any", None),
        clockwork=cast("CronUsecase", FakeCrons()),
    )
    return dashboard_over([(job, module)], CronsView)


def ready(operator: Operator) -> bool:
    return operator.status == "6 crons" and "sync-data" in drawn(operator.app.view)


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestCrons:
    def test_list(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "j", ready=ready, until=lambda operator: operator.app.view.where().cursor == 1
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_detail(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            *["j"] * 4,
            "enter",
            ready=ready,
            until=lambda operator: "Last runs" in drawn(operator.app.view),
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_question(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "n", ready=ready, until=lambda operator: "No (n)" in drawn(operator.app.screen)
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)
