"""What a supervisor refuses and outlives; e2e/test_supervisor.py has one at work."""

import asyncio
import errno
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from myapp.config import ConfigError, Settings
from myapp.enums import Role
from myapp.supervision.child import Child, start_child
from myapp.supervision.order import Order
from myapp.supervision.supervisor import ATTEMPTS, Supervisor, supervise

SECONDS = 20.0
# Says at once that it serves, and drains as soon as its line is cut.
PROCESS = ("sh", "-c", "printf + >&0; exec cat >/dev/null")
FULL = OSError(errno.EAGAIN, "Resource temporarily unavailable")


@pytest.mark.parametrize("roles", [list(Role), [Role.API, Role.WORKER], [Role.WORKER]])
def test_other_roles_than_the_api_alone_are_refused(roles: list[Role]) -> None:
    with pytest.raises(ConfigError, match=r"^WEB_CONCURRENCY: "):
        supervise(Settings(web_concurrency=2), roles)


class WatchedChild(Child):
    """One that says when it serves, as its supervisor knows."""

    def __init__(self, process: Process, line: socket.socket) -> None:
        super().__init__(process, line)
        self.up = asyncio.Event()

    async def serves(self) -> bool:
        served = await super().serves()
        self.up.set()
        return served


class Crew:
    """Starts processes for a supervisor, and none while `error` is set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.refused = asyncio.Queue[int]()
        self.started = asyncio.Queue[tuple[int, WatchedChild]]()

    async def start(self, order: Order) -> WatchedChild:
        if self.error:
            self.refused.put_nowait(order.number)
            raise self.error
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs:
            process = await asyncio.create_subprocess_exec(*PROCESS, stdin=theirs.fileno())
        child = WatchedChild(process, ours)
        self.started.put_nowait((order.number, child))
        return child


@contextmanager
def supervised(crew: Crew, folder: Path) -> Iterator[asyncio.Task[int]]:
    """Two processes under a supervisor, which is told to stop at the end."""
    settings = Settings(web_concurrency=2, drain_seconds=0)
    supervisor = Supervisor(settings, {Role.API: []}, folder, start=crew.start)
    running = asyncio.create_task(supervisor.run(at_once=lambda: None))
    try:
        yield running
    finally:
        if not running.done():
            signal.raise_signal(signal.SIGTERM)


class TestNoMoreProcesses:
    @pytest.mark.parametrize("error", [FULL, RuntimeError("can't start new thread")])
    async def test_a_replacement_is_tried_again_while_the_other_serves(
        self, error: Exception, tmp_path: Path
    ) -> None:
        crew = Crew()
        async with asyncio.timeout(SECONDS):
            with capture_logs() as logs, supervised(crew, tmp_path) as running:
                (_, first), (_, second) = [await crew.started.get() for _ in range(2)]
                crew.error = error
                os.kill(second.pid, signal.SIGKILL)
                assert await crew.refused.get() == 2
                crew.error = None
                number, third = await crew.started.get()
                assert (number, third.pid != second.pid) == (2, True)
                await third.up.wait()  # one that is cut off before fails to say so
                os.kill(first.pid, 0)  # it is there
            assert await running == 0
        assert [await child.wait() for child in (first, third)] == [0, 0]
        (said,) = [line for line in logs if line["event"] == "process not started"]
        assert (said["process"], said["error"]) == (2, str(error))

    async def test_none_at_all_is_said_once_and_ends_it(self, tmp_path: Path) -> None:
        crew = Crew(FULL)
        async with asyncio.timeout(SECONDS):
            with capture_logs() as logs, supervised(crew, tmp_path) as running:
                assert await running == 1
        assert [line["event"] for line in logs] == ["no process can be started"]
        assert crew.refused.qsize() == 1

    async def test_it_ends_when_none_serves_and_none_can_be_started(self, tmp_path: Path) -> None:
        crew = Crew()
        async with asyncio.timeout(SECONDS):
            with capture_logs() as logs, supervised(crew, tmp_path) as running:
                children = [(await crew.started.get())[1] for _ in range(2)]
                crew.error = FULL
                for child in children:
                    os.kill(child.pid, signal.SIGKILL)
                assert await running == 1
        given_up = [line for line in logs if line["event"] == "no process can be started"]
        assert given_up[0]["failures"] == ATTEMPTS

    def test_one_that_cannot_be_started_leaves_nothing_open(self, tmp_path: Path) -> None:
        order = Order(1, os.getpid(), Settings(), {"api": [1_000_000]}, tmp_path)
        before = count_descriptors()
        with pytest.raises(OSError, match="descriptor") as error:
            asyncio.run(start_child(order))
        assert count_descriptors() == before, error


def count_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))
