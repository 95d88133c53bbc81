"""Keeps several processes of the `api` role running on one port.

The listener is bound once and handed to all. In front of a listener for each (SO_REUSEPORT) one
queue for all has nobody wait for a busy process while another is idle, loses nothing that waits
when a process dies, and is the same on macOS. The first process starts alone: it prepares the
embedded default, and what keeps it from serving keeps all, and is said once.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import structlog

from myapp import __version__
from myapp.backoff import Backoff
from myapp.config import ConfigError, Settings
from myapp.enums import Role
from myapp.listener import close_all, close_copy
from myapp.logger import configure_logging
from myapp.ports import HEALTH, Ports, addresses, open_ports
from myapp.signals import SIGNALS, STOP_SECONDS, own_signals
from myapp.supervision.child import Child, start_child
from myapp.supervision.order import Order
from myapp.until import until

log = structlog.get_logger()

RESTART = Backoff(base=0.5, cap=30.0)
STEADY_SECONDS = 10.0  # who has lived for so long is replaced without a wait
ATTEMPTS = 5  # failed starts in a row of one process, while none serves
SPARE_SECONDS = 5.0  # for killing what has not drained


def supervise(settings: Settings, roles: Sequence[Role]) -> int:
    """Runs WEB_CONCURRENCY processes until a signal; returns the exit status.

    Raises ConfigError for other roles, and for a port that cannot be had.
    """
    if list(roles) != [Role.API]:
        raise ConfigError("WEB_CONCURRENCY: more than 1 goes with --role=api alone")
    configure_logging(settings.log_level, settings.log_format, shared=True)
    with open_ports(settings, roles) as ports:
        folder = make_folder()
        remove = partial(shutil.rmtree, folder, ignore_errors=True)
        try:
            return asyncio.run(Supervisor(settings, ports, folder).run(at_once=remove))
        finally:
            remove()


def make_folder() -> Path:
    """Where the processes keep what they have measured."""
    try:
        return Path(mkdtemp(prefix="myapp-"))
    except OSError as error:
        raise ConfigError(f"TMPDIR: no folder for temporary files can be used: {error}") from None


class Supervisor:
    """Starts the processes, replaces those that end, and has all drain together."""

    def __init__(
        self,
        settings: Settings,
        ports: Ports,
        metrics: Path,
        *,
        start: Callable[[Order], Awaitable[Child]] = start_child,
    ) -> None:
        self._settings = settings
        self._ports = ports
        self._metrics = metrics
        self._start = start
        self._began = time.perf_counter()
        self._stop = asyncio.Event()
        self._children: dict[int, Child] = {}
        self._serving: set[int] = set()
        self._has_served = False
        self._changed = asyncio.Event()
        self._status = 0

    async def run(self, *, at_once: Callable[[], None]) -> int:
        """Returns the exit status. A second signal kills all, and then calls `at_once`."""

        def end() -> None:
            for child in self._children.values():
                child.kill()
            at_once()

        with own_signals(self._stop, at_once=end, stop_seconds=STOP_SECONDS + SPARE_SECONDS):
            async with asyncio.TaskGroup() as group:
                leaving = group.create_task(self._leave_ports())
                await self._keep_all()
                leaving.cancel()
        if self._status == 0:
            log.info("stopped")
        return self._status

    async def _keep_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(1))
            await until(self._stop, self._until_serving(1))
            if self._stop.is_set():
                return
            for number in range(2, self._settings.web_concurrency + 1):
                group.create_task(self._keep(number))
            await until(self._stop, self._announce())

    async def _until_serving(self, count: int) -> None:
        while len(self._serving) < count:
            self._changed.clear()
            await self._changed.wait()

    async def _announce(self) -> None:
        await self._until_serving(self._settings.web_concurrency)
        log.info(
            "ready",
            version=__version__,
            roles=[str(Role.API)],
            listening=addresses(self._ports),
            processes={number: child.pid for number, child in sorted(self._children.items())},
            seconds=round(time.perf_counter() - self._began, 2),
        )

    async def _keep(self, number: int) -> None:
        """Keeps a process of this number running until the stop, and then sees it off."""
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            child = await self._try_start(number, tries=failures + 1)
            if child is None:
                failures += 1
            else:
                served = await until(self._stop, self._serve(number, child))
                if self._stop.is_set():
                    await self._see_off(child)
                    return
                failures = 0 if time.monotonic() - began >= STEADY_SECONDS else failures + 1
                child.cut_line()
                await self._judge(number, child, failures=failures, served=bool(served))
            if failures:
                await until(self._stop, asyncio.sleep(RESTART.delay(failures)))

    async def _try_start(self, number: int, *, tries: int) -> Child | None:
        """None when there can be no more processes just now: the others serve on meanwhile.

        Memory, processes or descriptors may have run out. `tries` have failed in a row with this.
        """
        try:
            child = await self._start(self._order(number))
        except (OSError, RuntimeError) as error:  # asyncio's, when no thread can wait for it
            self._judge_start(number, error, failures=tries)
            return None
        self._children[number] = child
        return child

    async def _serve(self, number: int, child: Child) -> bool:
        """Returns when the process has ended: whether it has served."""
        served = await child.serves()
        if served:
            self._serving.add(number)
            self._has_served = True
            self._changed.set()
        await child.wait()
        self._serving.discard(number)
        return served

    async def _judge(self, number: int, child: Child, *, failures: int, served: bool) -> None:
        """Says that a process has ended, and gives all up where that is hopeless."""
        status = await child.wait()
        if not self._is_hopeless(failures=failures, served=served):
            log.warning("process replaced", process=number, was=child.pid, status=status)
            return
        if self._has_served or status < 0:  # else it has said itself why it cannot start
            log.error("no process can be started", status=status, failures=failures)
        self._give_up(status if status > 0 else 1)

    def _judge_start(self, number: int, error: Exception, *, failures: int) -> None:
        """The same for a process that there never was."""
        if not self._is_hopeless(failures=failures, served=False):
            log.warning("process not started", process=number, error=str(error))
            return
        log.error("no process can be started", error=str(error), failures=failures)
        self._give_up(1)

    def _is_hopeless(self, *, failures: int, served: bool) -> bool:
        """Whether none has ever served, or none serves and this one has failed too often."""
        hopeless = not served and not self._serving and failures >= ATTEMPTS
        return hopeless or not self._has_served

    def _give_up(self, status: int) -> None:
        self._status = status
        self._stop.set()

    async def _see_off(self, child: Child) -> None:
        status = await child.see_off(seconds=STOP_SECONDS)
        if status not in (0, *(-signal for signal in SIGNALS)):  # it may not have been up yet
            log.error("process ended with a failure", was=child.pid, status=status)
            self._status = self._status or 1

    async def _leave_ports(self) -> None:
        """Closes the supervisor's copies just before the processes close theirs."""
        await self._stop.wait()
        close_all(self._ports.get(HEALTH, ()))
        await asyncio.sleep(self._settings.drain_seconds)
        for listener in self._ports[Role.API]:
            close_copy(listener)

    def _order(self, number: int) -> Order:
        listeners = {
            str(name): [one.fileno() for one in sockets] for name, sockets in self._ports.items()
        }
        return Order(
            number=number,
            supervisor=os.getpid(),
            settings=self._settings,
            listeners=listeners,
            metrics=self._metrics,
        )
