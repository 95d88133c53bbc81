"""The work behind the scenes, for administrators: queues, jobs, crons, workers."""

from dataclasses import dataclass

from myapp.audit import record_change
from myapp.module import Module
from myapp.modules.job.usecases import CronUsecase, JobUsecase, QueueUsecase
from myapp.queue.admin import JobBoard
from myapp.queue.admin_queues import QueueBoard
from myapp.queue.crons import CronBoard
from myapp.queue.tasks import Registry
from myapp.resources import Resources


@dataclass(frozen=True, kw_only=True)
class JobModule(Module):
    jobs: JobUsecase
    queues: QueueUsecase
    clockwork: CronUsecase


def init(resources: Resources, tasks: Registry) -> JobModule:
    """Builds the administration of the tasks and crons of all features.

    Its own task is in `tasks` already: the registry is complete before this is called.
    """
    redis = resources.queue_redis
    names = {task.queue for task in tasks.tasks} | set(resources.settings.queues)
    return JobModule(
        jobs=JobUsecase(redis, JobBoard(redis, names), queue=resources.jobs, audit=record_change),
        queues=QueueUsecase(QueueBoard(redis, names), audit=record_change),
        clockwork=CronUsecase(
            redis,
            CronBoard(redis, tasks.crons.values()),
            crons=tasks.crons,
            audit=record_change,
        ),
    )
