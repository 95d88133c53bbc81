"""The processes that run now, as they have told of themselves in Redis."""

from redis.asyncio import Redis

from myapp import __version__
from myapp.doctor.findings import Finding, ok, warning
from myapp.processes import read_processes


async def look_at_processes(redis: Redis) -> Finding:
    """How many there are, and whether they are of one release."""
    running = await read_processes(redis)
    if not running:
        return ok("processes", "No process runs now")
    roles = ", ".join(process.role for process in running)
    message = f"{len(running)} run now: {roles}"
    versions = {process.version for process in running} | {__version__}
    if len(versions) > 1:
        message += f"; of the releases {', '.join(sorted(versions))}"
        return warning("processes", message, "Finish the roll-out: run one release everywhere")
    return ok("processes", message)
