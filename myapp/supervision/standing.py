"""How a process stands: alone, or as one of several under a supervisor."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from prometheus_client import CollectorRegistry

from myapp.signals import begin_stop
from myapp.supervision.metrics import SharedRegistry
from myapp.supervision.order import READY, Order


class Alone:
    """Nobody supervises it."""

    ready_event = "ready"

    def __init__(self) -> None:
        self.metrics = CollectorRegistry()

    @contextmanager
    def watched(self, _stop: asyncio.Event) -> Iterator[None]:
        """Lasts as long as the process runs; what asks it to end sets `stop`."""
        yield

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Lasts as long as there is something to measure."""
        yield

    def report_ready(self) -> None:
        """Called when every role does its work."""


class Supervised(Alone):
    """Ends when its line to the supervisor is cut, and shares its metrics with its like."""

    ready_event = "process ready"  # the supervisor says when all are

    def __init__(self, order: Order, line: socket.socket) -> None:
        self.metrics: SharedRegistry = SharedRegistry(order.metrics, number=order.number)
        self._order = order
        self._line = line

    @contextmanager
    def watched(self, stop: asyncio.Event) -> Iterator[None]:
        """The only thing that can come over the line is its end."""
        loop = asyncio.get_running_loop()

        def on_cut() -> None:
            loop.remove_reader(self._line)
            if not stop.is_set():
                begin_stop(stop, by="supervisor")

        loop.add_reader(self._line, on_cut)
        try:
            yield
        finally:
            loop.remove_reader(self._line)

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Removes the folder of metrics in place of a supervisor that was killed."""
        async with self.metrics.kept():
            yield
        if os.getppid() != self._order.supervisor:
            shutil.rmtree(self._order.metrics, ignore_errors=True)

    def report_ready(self) -> None:
        """A supervisor that is gone by now need not know; the cut line says so too."""
        with suppress(OSError):
            self._line.send(READY)
