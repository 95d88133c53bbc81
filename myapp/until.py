"""Work that a stop may cut short, and work that nothing may."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")

# In Python 3.11 `wait_for`, which redis-py waits with, loses a cancellation that comes at the
# moment of its answer. So a task is cancelled until it has ended, and not once.
INSIST = 0.1


async def until(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result of the work; None when the stop came first, and then the work is cancelled."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await end(working)
    return None if working.cancelled() else working.result()


async def end(task: asyncio.Task[Any]) -> None:
    """Returns when the task has ended, cancelled or not.

    A cancellation of the caller is raised after it: what the task uses may be closed next.
    """
    is_cancelled = False
    while not task.done():
        task.cancel()
        try:
            await asyncio.wait({task}, timeout=INSIST)
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError


async def finish(work: asyncio.Future[Result]) -> Result:
    """The result of the work, which goes on to its end: a cancellation is raised after it."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with suppress(asyncio.CancelledError):  # one is raised below
                await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # looked at here: nobody else will
        raise
