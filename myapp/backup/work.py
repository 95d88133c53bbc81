"""Blocking work in a thread that a cancellation ends, and waits for."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from myapp.backup.progress import Progress
from myapp.errors import Unavailable
from myapp.until import finish

Result = TypeVar("Result")


class Stopped(Exception):  # an event, not a fault
    """Raised inside the work at its next step, when nobody wants it any more."""


class Stoppable:
    """The same progress, until it is stopped."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.stopped = False

    def begin(self, what: str, size: int) -> None:
        self._check()
        self._progress.begin(what, size)

    def advance(self, size: int) -> None:
        self._check()
        self._progress.advance(size)

    def _check(self) -> None:
        if self.stopped:
            raise Stopped


async def run_to_end(work: Callable[[Progress], Result], progress: Progress) -> Result:
    """The work's result. When the caller is cancelled the work first cleans up after itself.

    An OSError, such as a full disk, becomes Unavailable.
    """
    stoppable = Stoppable(progress)
    working = asyncio.ensure_future(asyncio.to_thread(work, stoppable))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stoppable.stopped = True
        with suppress(Exception):
            await finish(working)
        raise
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        raise Unavailable(f"{error.strerror or error}{place}") from error
