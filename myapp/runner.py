"""Runs roles in one process and one event loop: signals, order, deadlines."""

import asyncio
import faulthandler
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module

import structlog
import uvloop

from myapp import __version__
from myapp.config import Settings
from myapp.enums import Role
from myapp.health import Health
from myapp.listener import bind
from myapp.logger import configure_logging
from myapp.processes import Presence
from myapp.registry import build
from myapp.resources import Resources, open_resources
from myapp.roles.base import RoleContext, ServeRole
from myapp.roles.relay import make_relay

log = structlog.get_logger()

STOP_SECONDS = 30  # from the signal to the end of the process
CLOSE_SECONDS = 4  # of those, kept for closing the resources
SIGNALS = (signal.SIGTERM, signal.SIGINT)
HEALTH = "health"

# Imported when it is to run: a worker never loads Quart.
SERVICES = {
    Role.API: "myapp.roles.api:serve_api",
    Role.WORKER: "myapp.roles.background:serve_worker",
    Role.SCHEDULER: "myapp.roles.background:serve_scheduler",
    Role.GRPC: "myapp.roles.grpc:serve_grpc",
    HEALTH: "myapp.roles.health:serve_health",
}

Ports = Mapping[str, Sequence[socket.socket]]


def run(settings: Settings, roles: Sequence[Role]) -> int:
    """Runs the roles until a signal; returns the exit status.

    Raises ConfigError or Unavailable when they cannot be started.
    """
    configure_logging(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Program(settings, roles).run())


class Program:
    """One run of some roles, from the opening of their ports to the end of the last one."""

    def __init__(self, settings: Settings, roles: Sequence[Role]) -> None:
        self._settings = settings
        self._roles = roles
        self._began = time.perf_counter()
        self._stop = asyncio.Event()
        self._failures: list[Exception] = []

    async def run(self) -> int:
        """Returns the exit status. Raises what kept a role from its work."""
        with own_signals(self._stop), open_ports(self._settings, self._roles) as ports:
            async with open_resources(self._settings) as resources:
                if not self._stop.is_set():
                    await self._serve(resources, ports)
        if self._failures:
            raise self._failures[0]
        log.info("stopped")
        return 0

    async def _serve(self, resources: Resources, ports: Ports) -> None:
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
            name: replace(context, sockets=ports.get(name, ()), ready=asyncio.Event())
            for name in self._roles
        }
        if HEALTH in ports:
            contexts[HEALTH] = replace(context, sockets=ports[HEALTH], stop=drained)
        async with (
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
        log.info(
            "ready",
            version=__version__,
            roles=[str(role) for role in self._roles],
            listening=addresses(contexts),
            seconds=round(time.perf_counter() - self._began, 2),
        )


@contextmanager
def own_signals(stop: asyncio.Event) -> Iterator[None]:
    """The only signal handlers: the first signal sets `stop`, the second ends the process.

    A process that has not ended in time after the first says where it hangs, and exits with 1.
    """
    loop = asyncio.get_running_loop()

    def on_signal(received: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + received)
        log.info("stopping", signal=received.name)
        faulthandler.dump_traceback_later(STOP_SECONDS, exit=True)
        stop.set()

    for handled in SIGNALS:
        loop.add_signal_handler(handled, on_signal, handled)
    try:
        yield
    finally:
        for handled in SIGNALS:
            loop.remove_signal_handler(handled)
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def open_ports(settings: Settings, roles: Sequence[Role]) -> Iterator[Ports]:
    """Binds the ports of these roles before anything else is touched: one in use ends it here."""
    ports: dict[str, Sequence[socket.socket]] = {}
    try:
        if Role.API in roles:
            ports[Role.API] = bind(settings.host, settings.port)
        if Role.GRPC in roles:
            ports[Role.GRPC] = bind(settings.host, settings.grpc_port, variable="GRPC_PORT")
        if settings.health_port is not None:
            ports[HEALTH] = bind(settings.host, settings.health_port, variable="HEALTH_PORT")
        yield ports
    finally:
        for sockets in ports.values():
            for one in sockets:
                one.close()


def addresses(contexts: Mapping[str, RoleContext]) -> dict[str, str]:
    """Where each role listens, by its name."""
    return {
        str(name): ", ".join(
            "{}:{}".format(*one.getsockname()[:2]) for one in context.sockets if one.fileno() >= 0
        )
        for name, context in contexts.items()
        if context.sockets
    }
