"""An event loop in a thread of its own, for a library that blocks the loop that it runs on."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class LoopThread:
    """Begins with the first call, and ends with its last one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """What the work gives, done over there. To cancel this is to cancel the work."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # A daemon, since a library that hangs must not keep the process from its end.
            threading.Thread(target=serve, args=(self._loop,), name=self._name, daemon=True).start()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._loop))

    async def end_with(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Does this last, if anything was done, and ends the thread; it is not waited for."""
        if self._loop is None:
            return
        try:
            await self.run(work)
        finally:
            self.end()

    def end(self) -> None:
        """Ends the thread, if anything was done, after what it is at; it is not waited for."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None


def serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
