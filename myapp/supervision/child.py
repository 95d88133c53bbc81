"""A process as its supervisor sees it."""

import asyncio
import socket
import sys
from asyncio.subprocess import Process
from contextlib import suppress

from myapp.supervision.order import READY, Order


class Child:
    """One process, from its start to its end."""

    def __init__(self, process: Process, line: socket.socket) -> None:
        self._process = process
        self._line = line

    @property
    def pid(self) -> int:
        return self._process.pid

    async def serves(self) -> bool:
        """Whether it came to serve: returns when it does, or has ended before."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._line, len(READY)) == READY
        except ConnectionError:  # it has not even read its order
            return False

    async def wait(self) -> int:
        """Its exit status, once it has ended; that of a signal is negative."""
        return await self._process.wait()

    async def see_off(self, *, seconds: float) -> int:
        """Has it drain, and kills it if it has not ended by then; its exit status."""
        self.cut_line()
        try:
            async with asyncio.timeout(seconds):
                return await self.wait()
        except TimeoutError:
            self.kill()
            return await self.wait()

    def cut_line(self) -> None:
        """Has it drain; one that has ended needs no line either."""
        self._line.close()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()


async def start_child(order: Order) -> Child:
    """Starts the process of this order. Raises OSError, or RuntimeError, when there can be none.

    It has a process group of its own: what a terminal sends to ours is for the supervisor.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            order.give(ours)
            ours.settimeout(0)
            process = await asyncio.create_subprocess_exec(
                *this_program(),
                "supervised",
                stdin=theirs.fileno(),
                pass_fds=[number for numbers in order.listeners.values() for number in numbers],
                process_group=0,
            )
    except BaseException:
        ours.close()  # a process that is there already, with nobody to wait for it, ends by this
        raise
    return Child(process, ours)


def this_program() -> list[str]:
    """The command that started this process, without its arguments."""
    arguments = len(sys.argv) - 1
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - arguments]]
