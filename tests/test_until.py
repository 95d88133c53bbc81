"""Work that a stop may cut short, and work that nothing may."""

import asyncio
from contextlib import suppress

import pytest

from myapp.until import finish


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
