"""One loop that keeps a view fresh: never two loads at once, and none that is cut short."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from myapp.backoff import Backoff
from myapp.errors import AppError, Unavailable
from myapp.queue.connection import RECONNECT

Report = Callable[[AppError | None], Awaitable[None]]


class Freshness:
    """Loads every so many seconds while it is wanted, and at once when it is woken."""

    def __init__(
        self,
        load: Callable[[], Awaitable[None]],
        *,
        every: float,
        wanted: Callable[[], bool],
        report: Report,
        backoff: Backoff = RECONNECT,
    ) -> None:
        """`report` is told of every load: None for one that succeeded."""
        self._load = load
        self._every = every
        self._wanted = wanted
        self._report = report
        self._backoff = backoff
        self._stale = asyncio.Event()
        self._failures = 0

    def wake(self) -> None:
        self._stale.set()

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            self._stale.clear()
            pause = await self._try() if self._wanted() else self._every
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stale.wait()

    async def _try(self) -> float:
        """Seconds until the next load."""
        try:
            await self._load()
        except Unavailable as error:
            self._failures += 1
            await self._report(error)
            return self._backoff.delay(self._failures)
        except AppError as error:  # such as a filter that makes no sense
            await self._report(error)
        else:
            await self._report(None)
        self._failures = 0
        return self._every
