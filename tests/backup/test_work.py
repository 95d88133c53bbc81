import asyncio
import threading

import pytest

from myapp.backup.progress import Progress
from myapp.backup.work import run_to_end
from myapp.errors import Unavailable


class Silent:
    """A progress that nobody sees."""

    def begin(self, what: str, size: int) -> None:
        pass

    def advance(self, size: int) -> None:
        pass


async def test_a_work_that_is_cancelled_has_cleaned_up_when_its_caller_goes_on() -> None:
    begun, steps = threading.Event(), list[str]()

    def work(progress: Progress) -> None:
        begun.set()
        try:
            while True:
                progress.advance(1)
        finally:
            steps.append("cleaned up")

    working = asyncio.create_task(run_to_end(work, Silent()))
    await asyncio.to_thread(begun.wait)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert steps == ["cleaned up"]


async def test_it_outlives_a_second_cancellation_inside_its_step() -> None:
    begun, let_go, steps = threading.Event(), threading.Event(), list[str]()

    def work(_progress: Progress) -> None:
        begun.set()
        let_go.wait()
        steps.append("cleaned up")

    working = asyncio.create_task(run_to_end(work, Silent()))
    await asyncio.to_thread(begun.wait)
    for _ in range(2):
        working.cancel()
        await asyncio.sleep(0.01)
    was_done = working.done()
    let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not was_done
    assert steps == ["cleaned up"]


async def test_a_full_disk_is_an_outage_that_names_the_file() -> None:
    def work(_progress: Progress) -> None:
        raise OSError(28, "No space left on device", "/some/path")

    with pytest.raises(Unavailable, match="No space left on device: /some/path"):
        await run_to_end(work, Silent())
