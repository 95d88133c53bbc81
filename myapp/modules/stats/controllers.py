"""HTTP about the state of the service."""

from ipaddress import ip_address

from prometheus_client import CollectorRegistry
from quart import Response, request

from myapp.binding import Handler, describe, gives
from myapp.metrics import CONTENT_TYPE, render
from myapp.modules.stats.dtos import Stats
from myapp.modules.stats.usecases import StatsUsecase

# A proxy at this machine may speak for anybody in the world.
FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
METRICS = {
    "200": {
        "description": "Metrics in the text format of Prometheus",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


def gives_metrics(handler: Handler) -> Handler:
    return describe(handler, responses=METRICS)


class StatsController:
    """What an operator watches."""

    def __init__(self, stats: StatsUsecase, *, metrics: CollectorRegistry) -> None:
        self._stats = stats
        self._metrics = metrics

    @gives(Stats)
    async def get_stats(self) -> Stats:
        """A few numbers about the whole service."""
        return await self._stats.read()

    @gives_metrics
    async def get_metrics(self) -> Response:
        """Metrics of the processes on this port, for Prometheus.

        In development they are open to the machine itself; HEALTH_PORT has them without
        credentials.
        """
        return Response(render(self._metrics), content_type=CONTENT_TYPE)


def comes_from_this_machine() -> bool:
    """Whether the client sits at this machine, with no proxy between."""
    if any(name in request.headers for name in FORWARDING):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:  # a unix socket, for one
        return False
