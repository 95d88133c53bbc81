import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from myapp.errors import Unavailable
from myapp.storage.disk import create_file, run_step


class TestRunStep:
    async def test_a_cancelled_caller_waits_for_the_step_however_often_it_is_cancelled(
        self,
    ) -> None:
        release, ended = threading.Event(), []

        def step() -> None:
            release.wait(10)
            ended.append(True)

        task = asyncio.create_task(run_step(step))
        for _ in range(3):
            await asyncio.sleep(0.01)
            task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()

        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    async def test_an_error_of_the_system_is_an_outage_without_its_path(self) -> None:
        def step() -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/srv/files/secret")

        with pytest.raises(Unavailable) as caught:
            await run_step(step)
        assert "/srv" not in caught.value.text

    async def test_another_error_goes_through(self) -> None:
        def step() -> None:
            raise KeyError("a defect")

        with pytest.raises(KeyError):
            await run_step(step)


def test_a_new_file_never_replaces_one(tmp_path: Path) -> None:
    create_file(tmp_path / "a").close()
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "a")
