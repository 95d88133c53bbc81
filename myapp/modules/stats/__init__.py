"""What an operator watches: metrics, and a few numbers."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from myapp.module import Module
from myapp.modules.stats.usecases import StatsUsecase
from myapp.resources import Resources


@dataclass(frozen=True, kw_only=True)
class StatsModule(Module):
    """`open_to_loopback`: who sits at this machine may read the metrics without credentials."""

    stats: StatsUsecase
    metrics: CollectorRegistry
    open_to_loopback: bool


def init(resources: Resources) -> StatsModule:
    """Builds what only looks."""
    settings = resources.settings
    return StatsModule(
        stats=StatsUsecase(resources.queue_redis, resources.hub, queues=settings.queues),
        metrics=resources.metrics,
        open_to_loopback=not settings.production,
    )
