"""The list of features, and what they add up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from myapp.cleanup import cleanup_cron, cleanup_task
from myapp.module import Module
from myapp.modules import (
    api_key,
    audit,
    auth,
    device,
    event,
    file,
    job,
    notification,
    stats,
    sync,
    user,
)
from myapp.modules.job.tasks import bulk_task
from myapp.outbox.cleanup import remove_set_aside
from myapp.queue.tasks import Registry as TaskRegistry
from myapp.queue.tasks import build_registry
from myapp.resources import Resources

# Adding a feature is a folder in modules/ and its name here.
FEATURES = (auth, user, api_key, audit, stats, file, device, notification, event, sync)

M = TypeVar("M", bound=Module)


@dataclass(frozen=True, slots=True)
class Features:
    """Every feature, built: with its usecases, tasks and crons."""

    modules: Sequence[tuple[ModuleType, Module]]
    tasks: TaskRegistry

    def get(self, kind: type[M]) -> M:
        """The module of one feature, for the doors that are not its own routes."""
        return next(module for _, module in self.modules if isinstance(module, kind))


def build(resources: Resources) -> Features:
    """Builds every feature. Raises ValueError when two claim one name."""
    modules: list[tuple[ModuleType, Module]] = [
        (feature, feature.init(resources)) for feature in FEATURES
    ]
    cleanups = {name: clean for _, module in modules for name, clean in module.cleanups.items()}
    cleanups["outbox"] = remove_set_aside
    tasks = build_registry(
        [
            *(bound for _, module in modules for bound in module.tasks),
            cleanup_task(cleanups),
            bulk_task(resources.queue_redis, resources.jobs),
        ],
        [*(cron for _, module in modules for cron in module.crons), cleanup_cron()],
    )
    # Its administration is of all tasks and crons, so it comes when they are known.
    return Features(modules=[*modules, (job, job.init(resources, tasks))], tasks=tasks)
