"""The way to the drill's work."""

from quart import Blueprint

from benchmarks.drill.feature import DrillModule, Work, Working
from myapp.binding import gives, tag_routes, takes
from myapp.database.api_key import Scope
from myapp.middleware.auth import Auth


class WorkController:
    """HTTP for the drill's work."""

    def __init__(self, working: Working) -> None:
        self._working = working

    @takes(Work)
    @gives(Work, status=202)
    async def accept(self, work: Work) -> Work:
        """Accepted means that it will be done."""
        await self._working.accept(work)
        return work


def routes(module: DrillModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("drill", __name__)
    tag_routes(blueprint, "drill")
    accept = WorkController(module.working).accept
    blueprint.post("/drill/work")(auth.admin_or_key(Scope.EVENTS_PUBLISH)(accept))
    return blueprint
