"""The routes of metrics and numbers."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.database.api_key import Scope
from myapp.middleware.auth import Auth, credentials_given
from myapp.modules.stats import StatsModule
from myapp.modules.stats.controllers import StatsController, comes_from_this_machine

Handler = Callable[..., Awaitable[Any]]


def routes(module: StatsModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("stats", __name__)
    tag_routes(blueprint, "administration")
    stats = StatsController(module.stats, metrics=module.metrics)

    get_metrics = auth.admin_or_key(Scope.METRICS_READ)(stats.get_metrics)
    if module.open_to_loopback:
        get_metrics = open_to_loopback(get_metrics, stats.get_metrics)
    blueprint.get("/metrics")(get_metrics)
    blueprint.get("/admin/stats")(auth.admin(stats.get_stats))
    return blueprint


def open_to_loopback(guarded: Handler, handler: Handler) -> Handler:
    """Skips the guard for who sits at this machine; credentials that are given are checked."""

    @wraps(guarded)
    async def wrapper(**path: Any) -> Any:
        if comes_from_this_machine() and not credentials_given():
            return await handler(**path)
        return await guarded(**path)

    return wrapper
