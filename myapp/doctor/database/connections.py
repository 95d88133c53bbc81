"""Whether a server takes as many connections as the roles may open."""

from myapp.config import Settings
from myapp.database.url import Target
from myapp.doctor.findings import Finding, ok, warning
from myapp.enums import Role

NAME = "database.connections"


def compare_connections(settings: Settings, target: Target, *, limit: int, in_use: int) -> Finding:
    """One process of each role, and as many of the api role as WEB_CONCURRENCY says."""
    processes = len(Role) - 1 + settings.web_concurrency
    pool = target.credentials["maxsize"]
    needed = processes * pool
    message = (
        f"The server takes {limit} connections, {in_use} are in use, and one process for each role"
        f" may open {needed} ({processes} pools of {pool})"
    )
    if needed > limit:
        advice = "Raise max_connections, or lower ?pool_size= in DATABASE_URL"
        return warning(NAME, message, advice)
    return ok(NAME, message)
