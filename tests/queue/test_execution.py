"""How loud the line of a job is."""

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from myapp.queue.connection import RedisLink
from myapp.queue.execution import Executor
from myapp.queue.metrics import JobMetrics
from myapp.queue.store import StoredJob
from myapp.queue.tasks import JobContext, Nothing, Task, build_registry

TASK = Task("something:do", Nothing, timeout=10)


async def do_nothing(_context: JobContext, _payload: Nothing) -> None:
    pass


@pytest.mark.parametrize(("seconds", "level"), [(4.9, "info"), (5.1, "warning")])
def test_more_than_half_of_what_its_task_allows_is_a_warning(seconds: float, level: str) -> None:
    executor = Executor(
        build_registry([(TASK, do_nothing)]),
        worker="w",
        link=RedisLink(),
        patience=1,
        metrics=JobMetrics(CollectorRegistry()),
    )
    with capture_logs() as logs:
        executor._log_complete(StoredJob(function=TASK.name), seconds)
    assert [entry["log_level"] for entry in logs] == [level]
