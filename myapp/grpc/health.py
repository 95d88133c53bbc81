"""`grpc.health.v1`, tied to the checks of this process."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog
from grpclib._typing import IServable
from grpclib.health.check import ServiceStatus
from grpclib.health.service import OVERALL, Health

log = structlog.get_logger()

CHECK_SECONDS = 5.0  # a check that hangs has failed

Checks = Callable[[], Awaitable[bool]]


class ServingStatus:
    """SERVING while the checks pass, for the whole server and for each service alike.

    Callers are answered from the last result: many probes cost the database no more than one.
    """

    def __init__(
        self, checks: Checks, *, poll_seconds: float, check_seconds: float = CHECK_SECONDS
    ) -> None:
        self._checks = checks
        self._poll_seconds = poll_seconds
        self._check_seconds = check_seconds
        self._status = ServiceStatus()
        self._status.set(False)

    @property
    def serving(self) -> bool:
        return self._status.__status__() is True

    def service(self, services: Iterable[IServable]) -> Health:
        """The health service, which knows the overall status and that of each of `services`."""
        return Health({OVERALL: [self._status], **{each: [self._status] for each in services}})

    async def refresh(self) -> None:
        """Asks the checks once; one that raises or hangs has failed."""
        try:
            async with asyncio.timeout(self._check_seconds):
                passed = await self._checks()
        except Exception as error:  # noqa: BLE001  # whatever a check raises, it did not pass
            log.debug("health check failed", error=repr(error))
            passed = False
        if passed is not self.serving:
            log.info("health changed", serving=passed)
        self._status.set(passed)

    async def follow(self, stop: asyncio.Event) -> None:
        """Keeps the status up to date until `stop`; from then on it is NOT_SERVING."""
        async with asyncio.TaskGroup() as tasks:
            polling = tasks.create_task(self._poll())
            await stop.wait()
            polling.cancel()
        self._status.set(False)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            await self.refresh()
