"""The `worker` and `scheduler` roles."""

from myapp.queue.metrics import JobMetrics
from myapp.queue.scheduler import Scheduler
from myapp.queue.worker import Worker
from myapp.roles.base import RoleContext


async def serve_worker(context: RoleContext) -> None:
    """Runs queued tasks until the stop; what does not finish in time is put back."""
    settings = context.settings
    worker = Worker(
        context.resources.queue_redis,
        context.features.tasks,
        queues=settings.queues,
        concurrency=settings.worker_concurrency,
        link=context.resources.queue_link,
        metrics=JobMetrics(context.resources.metrics),
        deadline=context.deadline,
    )
    context.ready.set()
    await worker.run(context.stop)


async def serve_scheduler(context: RoleContext) -> None:
    """Fires crons until the stop."""
    resources = context.resources
    crons = context.features.tasks.crons.values()
    scheduler = Scheduler(resources.queue_redis, crons, link=resources.queue_link)
    context.ready.set()
    await scheduler.run(context.stop)
