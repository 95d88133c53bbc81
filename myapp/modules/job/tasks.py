"""The rest of a bulk action that takes longer than its request may."""

from functools import partial

from redis.asyncio import Redis

from myapp.queue.admin import JobAction, JobBoard, JobFilter
from myapp.queue.admin_bulk import BulkActions, Selection
from myapp.queue.client import JobQueue
from myapp.queue.records import JobStatus
from myapp.queue.tasks import Handler, JobContext, Payload, Task

BULK_SECONDS = 600.0


class BulkRest(Payload):
    """Which jobs of these queues are left, by their state at a time of Redis (milliseconds)."""

    action: JobAction
    queues: tuple[str, ...]
    status: JobStatus | None
    task: str | None
    until: int


BULK_JOBS = Task("jobs:bulk", BulkRest, queue="low", timeout=BULK_SECONDS + 60, attempts=3)


async def finish_bulk(
    redis: Redis,
    jobs: JobQueue,
    _context: JobContext,
    rest: BulkRest,
    *,
    seconds: float = BULK_SECONDS,
) -> dict[str, int]:
    """Does what it can in so many seconds, and leaves the rest to another job of this task.

    Again it finds no more than what is left, so it may be repeated.
    """
    actions = BulkActions(redis, JobBoard(redis, rest.queues))
    progress = await actions.run(
        rest.action,
        Selection(JobFilter(status=rest.status, task=rest.task)),
        until=rest.until,
        seconds=seconds,
    )
    if not progress.finished:
        await jobs.enqueue(BULK_JOBS, rest)
    return {"done": progress.done}


def bulk_task(redis: Redis, jobs: JobQueue) -> tuple[Task[BulkRest], Handler[BulkRest]]:
    """The task, to be bound with those of the features."""
    return BULK_JOBS, partial(finish_bulk, redis, jobs)
