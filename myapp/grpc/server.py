"""The gRPC server: what it serves, and how it begins and ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import structlog
from grpclib._typing import IServable
from grpclib.const import Handler
from grpclib.health.service import Health
from grpclib.reflection.service import ServerReflection

from myapp.grpc.call import Gate
from myapp.grpc.calls import Calls
from myapp.grpc.connection import Connection, Connections
from myapp.grpc.health import Checks, ServingStatus
from myapp.grpc.metrics import CallMetrics
from myapp.grpc.symbols import Symbols
from myapp.grpc.tls import open_tls
from myapp.listener import BACKLOG, close_all

log = structlog.get_logger()

MESSAGE_LIMIT = 4 * 1024 * 1024  # bytes; what other gRPC servers take by default
POLL_SECONDS = 1.0  # how late the health service may be
PARTING_SECONDS = 1.0  # clients leave within milliseconds of a goodbye; some do not listen
LEAVING_SECONDS = 4 * PARTING_SECONDS  # what `_part` and `_abort` take at worst
ACCEPTING_TURNS = 4  # of the event loop, until a connection that it has accepted is made


class GrpcServer:
    """Serves `services` on listening sockets, and with them `grpc.health.v1` and reflection.

    A handler of a service raises AppError kinds; `message_limit` is in bytes and holds for each
    message of a request. `gate` says who may call, `checks` whether this process can do its work.
    Raises ConfigError when TLS cannot be set up.
    """

    def __init__(
        self,
        services: Sequence[IServable],
        *,
        sockets: Sequence[socket.socket],
        checks: Checks,
        gate: Gate,
        metrics: CallMetrics,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        message_limit: int = MESSAGE_LIMIT,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._sockets = sockets
        self._tls = open_tls(tls_cert, tls_key)
        self._status = ServingStatus(checks, poll_seconds=poll_seconds)
        methods = methods_of(services, health=self._status.service(services))
        self._calls = Calls(methods, gate=gate, metrics=metrics, message_limit=message_limit)
        self._connections = Connections()

    async def serve(
        self,
        stop: asyncio.Event,
        *,
        ready: Callable[[], None],
        drain_seconds: float,
        deadline: float,
    ) -> None:
        """Serves until `stop`, and returns when all calls have ended and every client has left.

        `ready` is called once calls are answered. After `stop` the server says NOT_SERVING for
        `drain_seconds` while it still takes calls. Then it returns within `deadline` seconds:
        calls under way have all of it but the last LEAVING_SECONDS, which are for clients that
        do not leave by themselves. The sockets are closed in any case.
        """
        async with self._listening() as listeners:
            await self._status.refresh()
            ready()
            await self._status.follow(stop)
            await asyncio.sleep(drain_seconds)
            await self._stop_listening(listeners)
            await self._drain(max(0.0, deadline - LEAVING_SECONDS))
            await self._part()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[Sequence[asyncio.Server]]:
        protocol = partial(Connection, self._calls, self._connections)
        create = asyncio.get_running_loop().create_server
        listeners = [
            await create(protocol, sock=sock, ssl=self._tls, backlog=BACKLOG)
            for sock in self._sockets
        ]
        try:
            yield listeners
        finally:
            await self._stop_listening(listeners)
            close_all(self._sockets)
            await self._abort()

    async def _stop_listening(self, listeners: Sequence[asyncio.Server]) -> None:
        """Returns when what was accepted before it is among the connections."""
        for listener in listeners:
            listener.close()
        for _ in range(ACCEPTING_TURNS):
            await asyncio.sleep(0)

    async def _drain(self, seconds: float) -> None:
        for connection in self._connections:
            connection.discourage()
        self._calls.end_streams()
        try:
            async with asyncio.timeout(seconds):
                await self._calls.finished()
        except TimeoutError:
            log.warning("calls cut off", calls=len(self._calls))
            self._calls.end_all()

    async def _part(self) -> None:
        """Lets each client close first: closing on one that still sends could lose our answer."""
        for connection in self._connections:
            connection.say_goodbye()
        await self._wait_for_clients()
        for connection in self._connections:
            connection.close()
        await self._wait_for_clients()

    async def _wait_for_clients(self) -> None:
        if self._connections:
            lost = [connection.lost for connection in self._connections]
            await asyncio.wait(lost, timeout=PARTING_SECONDS)

    async def _abort(self) -> None:
        """Ends what is left, and gives handlers a moment to take notice."""
        self._connections.over = True
        for connection in tuple(self._connections):
            connection.abort()
        await self._wait_for_clients()
        try:
            async with asyncio.timeout(PARTING_SECONDS):
                await self._calls.finished()
        except TimeoutError:
            log.warning("calls do not heed their end", calls=len(self._calls))


def methods_of(
    services: Sequence[IServable], *, health: Health | None = None
) -> dict[str, Handler]:
    """Every method that a server of `services` has, by its path: health and reflection too."""
    methods: dict[str, Handler] = {}
    for service in ServerReflection.extend([*services, health or Health()], pool=Symbols()):
        methods.update(service.__mapping__())
    return methods
