"""Whether this process lives, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

CHECK_SECONDS = 2.0  # below the usual timeout of a platform's probe, so that our answer is seen
STOPPING = {"process": "stopping"}  # among the checks: why it is not ready where all of them pass

Check = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer of `/ready`: each check by name, `ok` or `unavailable`.

    While the process stops, `process` is among them and says so.
    """

    ready: bool
    checks: dict[str, str]

    def as_dict(self) -> dict[str, object]:
        return {"status": "ready" if self.ready else "unavailable", "checks": self.checks}


class Health:
    """The checks of this process. A check passes by returning and fails by raising."""

    def __init__(self, checks: Mapping[str, Check], *, stop: asyncio.Event) -> None:
        """From `stop` on the process is not ready, whatever the checks say."""
        self._checks = checks
        self._stop = stop

    async def readiness(self) -> Readiness:
        """Asks every check at once."""
        async with asyncio.TaskGroup() as group:
            asked = {
                name: group.create_task(passes(name, check)) for name, check in self._checks.items()
            }
        passed = {name: task.result() for name, task in asked.items()}
        checks = {name: "ok" if ok else "unavailable" for name, ok in passed.items()}
        if self._stop.is_set():
            return Readiness(ready=False, checks=checks | STOPPING)
        return Readiness(ready=all(passed.values()), checks=checks)

    async def ready(self) -> bool:
        return (await self.readiness()).ready


async def passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001  # whatever a check raises, it did not pass
        log.debug("readiness check failed", check=name, error=repr(error))
        return False
    return True
