"""What the view of workers looks like."""

from datetime import timedelta
from typing import Any, cast

import pytest

from myapp.modules import job
from myapp.modules.job import JobModule
from myapp.modules.job.usecases import QueueUsecase
from myapp.queue.admin_queues import RunningJob, WorkerState
from myapp.tui.app import Dashboard
from myapp.tui.views.workers import WorkersView
from tests.tui.conftest import Operator, drawn
from tests.tui.pictures import NOW, SIZES, Compare, dashboard_over, play

TASKS = ("sync:data", "notification:send", "cleanup:expired")


def worker_of(number: int, *, jobs: int, silent: float = 1.2) -> WorkerState:
    began = NOW - timedelta(hours=7 * number + 2)
    return WorkerState(
        record={
            "id": f"0198c59f-11ab-7e10-8d1c-3c5b7a9d0e{number:02}",
            "role": "worker",
            "host": f"myapp-worker-{number}",
            "pid": 41 + number,
            "version": "0.1.0",
            "queues": ["default", "low"],
            "concurrency": 3,
            "active": jobs,
            "started_at": began.isoformat(),
            "memory_mb": 80.4 + number,
        },
        running=[
            RunningJob(
                f"outbox:0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e{each:02}",
                TASKS[each % len(TASKS)],
                "low" if each % len(TASKS) != 1 else "default",
                NOW - timedelta(seconds=45 / (each + 1)),
            )
            for each in range(jobs)
        ],
        silent_seconds=silent,
    )


WORKERS = [
    worker_of(1, jobs=6),
    worker_of(2, jobs=2),
    worker_of(3, jobs=0),
    worker_of(4, jobs=1, silent=9.3),
]


class FakeQueues:
    """The part of QueueUsecase that is read."""

    async def list_workers(self) -> list[WorkerState]:
        return WORKERS

    async def get_worker(self, worker_id: str) -> WorkerState:
        return next(worker for worker in WORKERS if worker.record["id"] == worker_id)


def dashboard() -> Dashboard:
    module = JobModule(
        jobs=cast("Any", None),
        queues=cast("QueueUsecase", FakeQueues()),
        clockwork=cast("Any", None),
    )
    return dashboard_over([(job, module)], WorkersView)


def ready(operator: Operator) -> bool:
    return operator.status == "4 workers" and "idle" in drawn(operator.app.view)


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestWorkers:
    def test_list(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "j", ready=ready, until=lambda operator: operator.app.view.where().cursor == 1
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_detail(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "enter",
            ready=ready,
            until=lambda operator: "Runs now: 6" in drawn(operator.app.view),
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)
