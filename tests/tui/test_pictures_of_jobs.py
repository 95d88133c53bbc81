"""What the view of jobs looks like."""

from datetime import timedelta
from typing import Any, cast

import pytest

from myapp.errors import NotFound
from myapp.modules import job
from myapp.modules.job import JobModule
from myapp.modules.job.usecases import JobUsecase, QueueUsecase
from myapp.queue.admin import FoundJobs, JobFilter
from myapp.queue.admin_queues import QueueState
from myapp.queue.records import JobError, JobRecord, JobStatus
from myapp.tui.app import Dashboard
from myapp.tui.paged_table import PagedTable
from myapp.tui.views.jobs import JobsView
from tests.tui.conftest import Operator, drawn
from tests.tui.pictures import NOW, SIZES, Compare, dashboard_over, play

ERROR = """Traceback (most recent call last):
  File "notification/pushing.py", line 41, in push
    raise ConnectionError("the service hung up")
ConnectionError: the service hung up"""


def job_of(number: int) -> JobRecord:
    status = list(JobStatus)[number % len(JobStatus)]
    began = NOW - timedelta(minutes=number * 7)
    failed = status is JobStatus.FAILED
    return JobRecord(
        key=f"job-{number:03}",
        task=("notification:send", "sync:data", "cleanup:expired")[number % 3],
        queue=("default", "low")[number % 2],
        status=status,
        payload={"notification_id": f"n-{number}", "again": False},
        attempts=2 if failed else 1,
        max_attempts=8,
        errors=(JobError(1, began, ERROR), JobError(2, began, ERROR)) if failed else (),
        result={"pushed": number} if status is JobStatus.COMPLETE else None,
        request_id=f"request-{number}",
        worker="worker-1",
        enqueued_at=began,
        scheduled_at=NOW + timedelta(minutes=5) if status is JobStatus.SCHEDULED else None,
        started_at=began,
        finished_at=began if status.ended else None,
    )


JOBS = [job_of(number) for number in range(60)]


class FakeJobs:
    """The part of JobUsecase that is read."""

    async def find(self, chosen: JobFilter, *, page: int, per_page: int) -> FoundJobs:
        jobs = [job for job in JOBS if chosen.matches(job)]
        return FoundJobs(jobs[(page - 1) * per_page : page * per_page], len(jobs))

    async def get(self, key: str) -> JobRecord:
        for each in JOBS:
            if each.key == key:
                return each
        raise NotFound


class FakeQueues:
    """The part of QueueUsecase that is read."""

    async def list_queues(self) -> list[QueueState]:
        counts = {status: 10_000 * number for number, status in enumerate(JobStatus)}
        return [
            QueueState(
                "default",
                paused=False,
                counts=counts,
                latency_seconds=0.4,
                processed_per_minute=1234,
                failed_per_minute=2,
            ),
            QueueState(
                "low",
                paused=True,
                counts=dict.fromkeys(JobStatus, 0),
                latency_seconds=7300.0,
                processed_per_minute=0,
                failed_per_minute=0,
            ),
        ]


def dashboard(**options: Any) -> Dashboard:
    module = JobModule(
        jobs=cast("JobUsecase", FakeJobs()),
        queues=cast("QueueUsecase", FakeQueues()),
        clockwork=cast("Any", None),
    )
    return dashboard_over([(job, module)], JobsView, **options)


def ready(operator: Operator) -> bool:
    return operator.status == "60 jobs" and "failed 40k" in drawn(operator.app.view)


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestJobs:
    def test_list(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "j", "space", "j", ready=ready, until=lambda operator: table(operator).cursor == 3
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_detail(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        down = ["j"] * 4
        played = play(
            *down,
            "enter",
            ready=ready,
            until=lambda operator: "Payload" in drawn(operator.app.view),
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_question(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "D", ready=ready, until=lambda operator: "No (n)" in drawn(operator.app.screen)
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)


def test_reading_only_in_sixteen_colours(snap_compare: Compare) -> None:
    app = dashboard(readonly=True)
    app.theme = "myapp-16"
    played = play("j", ready=ready, until=lambda operator: table(operator).cursor == 1)
    assert snap_compare(app, terminal_size=SIZES[0], run_before=played)


def table(operator: Operator) -> PagedTable:
    return operator.app.view.query(PagedTable).last()
