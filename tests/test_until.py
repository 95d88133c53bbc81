"""Work that a stop may cut short, and work that nothing may."""

import asyncio
from contextlib import suppress

import pytest

from myapp.until import end, finish, until


class Work:
    """Goes on until it is let go."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.let_go = asyncio.Event()
        self._error = error
        self.task = asyncio.create_task(self._do())

    async def _do(self) -> str:
        await self.let_go.wait()
        if self._error:
            raise self._error
        return "done"


class TestFinish:
    async def test_gives_the_result(self) -> None:
        work = Work()
        work.let_go.set()
        assert await finish(work.task) == "done"

    async def test_raises_what_the_work_raises(self) -> None:
        work = Work(error=LookupError())
        work.let_go.set()
        with pytest.raises(LookupError):
            await finish(work.task)

    @pytest.mark.parametrize("error", [None, LookupError()])
    async def test_the_work_outlives_every_cancellation(self, error: Exception | None) -> None:
        work = Work(error=error)
        waiting = asyncio.create_task(finish(work.task))
        for _ in range(3):
            await asyncio.sleep(0.01)
            waiting.cancel()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        work.let_go.set()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        assert work.task.done()
        assert not work.task.cancelled()

    async def test_is_cancelled_with_the_work(self) -> None:
        work = Work()
        waiting = asyncio.create_task(finish(work.task))
        await asyncio.sleep(0.01)
        work.task.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()


async def outlast(cancellations: int) -> None:
    """Ends with as many."""
    for _ in range(cancellations):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def give_up(task: asyncio.Task[None]) -> bool:
    """Whether it had ended; otherwise it is ended now, for the loop to close."""
    was_done = task.done()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    return was_done


class TestEnd:
    @pytest.mark.parametrize("times", [1, 2, 3])
    async def test_who_is_cancelled_meanwhile_goes_on_to_the_end_of_the_task(
        self, times: int
    ) -> None:
        task = asyncio.create_task(outlast(4))
        await asyncio.sleep(0)
        ending = asyncio.create_task(end(task))
        for _ in range(times):
            await asyncio.sleep(0)
            ending.cancel()
        await asyncio.wait({ending})
        was_done = await give_up(task)
        assert (was_done, ending.cancelled()) == (True, True)

    async def test_what_an_ended_task_waited_for_has_ended(self) -> None:
        work = asyncio.create_task(outlast(2))

        async def follow() -> None:
            await work

        outer = asyncio.create_task(until(asyncio.Event(), follow()))
        await asyncio.sleep(0)
        await end(outer)
        assert await give_up(work)
