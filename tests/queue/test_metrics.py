"""What Prometheus learns of the queue."""

from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry

from myapp.queue.client import JobQueue
from myapp.queue.metrics import JobMetrics
from myapp.queue.tasks import JobContext, Nothing, Task, build_registry
from tests.queue.conftest import Work

Eventually = Callable[..., Awaitable[Any]]

GOOD = Task("thing:make", Nothing, attempts=1)
BAD = Task("thing:break", Nothing, attempts=1)


async def make(_job: JobContext, _payload: Nothing) -> None:
    """A job that is done at once."""


async def break_down(_job: JobContext, _payload: Nothing) -> None:
    raise RuntimeError("broken")


async def test_attempts_are_counted_by_task_and_outcome_and_queues_by_status(
    queue: JobQueue, work: Work, eventually: Eventually
) -> None:
    measured = CollectorRegistry()
    await queue.enqueue(GOOD, Nothing())
    await queue.enqueue(BAD, Nothing())
    registry = build_registry([(GOOD, make), (BAD, break_down)])

    def attempts(task: str, outcome: str) -> float | None:
        labels = {"task": task, "outcome": outcome}
        return measured.get_sample_value("job_attempts_total", labels)

    def jobs(status: str) -> float | None:
        labels = {"queue": "default", "status": status}
        return measured.get_sample_value("queue_jobs", labels)

    async with work(registry, metrics=JobMetrics(measured)):
        await eventually(lambda: jobs("complete") == 1 and jobs("failed") == 1)
    assert attempts("thing:make", "complete") == 1
    assert attempts("thing:break", "failed") == 1
    seconds = measured.get_sample_value("job_duration_seconds_count", {"task": "thing:make"})
    assert seconds == 1
    assert measured.get_sample_value("queue_latency_seconds", {"queue": "default"}) == 0
