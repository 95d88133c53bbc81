"""Runs roles in one process and one event loop: signals, order, deadlines."""

import asyncio
import gc
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module

import structlog
import uvloop

from myapp import __version__
from myapp.config import Settings
from myapp.enums import Role
from myapp.health import Health
from myapp.logger import configure_logging
from myapp.ports import HEALTH, Ports, addresses, open_ports
from myapp.processes import Presence
from myapp.registry import build
from myapp.resources import Resources, open_resources
from myapp.roles.base import RoleContext, ServeRole
from myapp.roles.relay import make_relay
from myapp.signals import STOP_SECONDS, own_signals
from myapp.supervision.order import receive_order
from myapp.supervision.standing import Alone, Supervised

log = structlog.get_logger()

CLOSE_SECONDS = 4  # of STOP_SECONDS, kept for closing the resources

# Python's own is 700 objects made beyond those gone: with ten thousand streams open its search for
# cycles took a third of the time to open them, and once in a while 0.7 s at a stretch.
GARBAGE_THRESHOLDS = (10_000, 10, 10)

# Imported when it is to run: a worker never loads Quart.
SERVICES = {
    Role.API: "myapp.roles.api:serve_api",
    Role.WORKER: "myapp.roles.background:serve_worker",
    Role.SCHEDULER: "myapp.roles.background:serve_scheduler",
    Role.GRPC: "myapp.roles.grpc:serve_grpc",
    HEALTH: "myapp.roles.health:serve_health",
}


def run(settings: Settings, roles: Sequence[Role]) -> int:
    """Runs the roles until a signal; returns the exit status.

    Raises ConfigError or Unavailable when they cannot be started.
    """
    configure_logging(settings.log_level, settings.log_format)
    with open_ports(settings, roles) as ports:
        return Program(settings, roles, ports, Alone()).run()


def run_supervised(line: socket.socket) -> int:
    """Runs one of several processes of the `api` role, as the supervisor orders on this line."""
    order = receive_order(line)
    settings = order.settings
    configure_logging(settings.log_level, settings.log_format, shared=True)
    with order.take_ports() as ports:
        return Program(settings, [Role.API], ports, Supervised(order, line)).run()


class Program:
    """One run of some roles, to the end of the last one."""

    def __init__(
        self, settings: Settings, roles: Sequence[Role], ports: Ports, standing: Alone
    ) -> None:
        self._settings = settings
        self._roles = roles
        self._ports = ports
        self._standing = standing
        self._began = time.perf_counter()
        self._stop = asyncio.Event()
        self._failures: list[Exception] = []

    def run(self) -> int:
        """Returns the exit status. Raises what kept a role from its work."""
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._run_roles())

    async def _run_roles(self) -> int:
        metrics = self._standing.metrics
        with own_signals(self._stop), self._standing.watched(self._stop):
            async with open_resources(self._settings, metrics=metrics) as resources:
                if not self._stop.is_set():
                    await self._serve(resources)
        if self._failures:
            raise self._failures[0]
        log.info("stopped")
        return 0

    async def _serve(self, resources: Resources) -> None:
        """Runs every role until all have drained; HEALTH_PORT answers until then."""
        context = RoleContext(
            resources=resources,
            features=build(resources),
            health=Health(resources.checks(), stop=self._stop),
            sockets=(),
            stop=self._stop,
            ready=asyncio.Event(),
            deadline=STOP_SECONDS - CLOSE_SECONDS,
        )
        drained = asyncio.Event()
        contexts: dict[str, RoleContext] = {
            name: replace(context, sockets=self._ports.get(name, ()), ready=asyncio.Event())
            for name in self._roles
        }
        if HEALTH in self._ports:
            contexts[HEALTH] = replace(context, sockets=self._ports[HEALTH], stop=drained)
        async with (
            self._standing.measured(),
            Presence(resources.redis, resources.metrics, roles=self._roles),
            make_relay(resources, context.features.tasks),
            asyncio.TaskGroup() as group,
        ):
            announcer = group.create_task(self._announce(contexts))
            tasks = {name: group.create_task(self._run(name, contexts[name])) for name in contexts}
            await asyncio.wait([tasks[role] for role in self._roles])
            drained.set()
            announcer.cancel()

    async def _run(self, name: str, context: RoleContext) -> None:
        """One role. When it fails the others drain, and the program ends with its failure."""
        module, _, function = SERVICES[name].partition(":")
        serve: ServeRole = getattr(import_module(module), function)
        try:
            await serve(context)
        except Exception as error:  # noqa: BLE001  # raised again when the others have drained
            self._failures.append(error)
            self._stop.set()

    async def _announce(self, contexts: Mapping[str, RoleContext]) -> None:
        for context in contexts.values():
            await context.ready.wait()
        gc.freeze()  # what is here by now stays, and need not be looked through again and again
        log.info(
            self._standing.ready_event,
            version=__version__,
            roles=[str(role) for role in self._roles],
            listening=addresses(self._ports),
            seconds=round(time.perf_counter() - self._began, 2),
        )
        self._standing.report_ready()
