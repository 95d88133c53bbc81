"""Serves an ASGI application over HTTP, inside our event loop and under our signals.

What a stop may still drop: a request that meets the closing of a connection that was idle, which
HTTP/1.1 cannot prevent and which clients send again; and a client whose handshake takes longer
than HANDSHAKE_SECONDS just then.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn

from myapp.listener import BACKLOG, close_all, ignore_handshakes, take_waiting
from myapp.protocol import QUIET_SECONDS, HttpProtocol, State

log = structlog.get_logger()

Application = Callable[[Any, Any, Any], Awaitable[None]]  # ASGI: scope, receive, send

KEEP_ALIVE_SECONDS = 75  # longer than load balancers' usual 60, so that they are first to close
ABORT_SECONDS = 2.0  # for cancelled requests to roll back
TICKS_PER_SECOND = 10  # Uvicorn's main loop
POLL_SECONDS = 0.05
HANDSHAKE_SECONDS = 0.05  # for handshakes under way to end; a slower client's may still be reset


async def serve(
    app: Application,
    sockets: Sequence[socket.socket],
    *,
    stop: asyncio.Event,
    drain_seconds: float,
    deadline: float,
    listening: asyncio.Event | None = None,
    on_drain: Callable[[], None] | None = None,
    quiet_seconds: float = QUIET_SECONDS,
) -> None:
    """Serves until `stop`, then returns when every connection has ended.

    After `stop`, `on_drain` is called and answers say `Connection: close` for `drain_seconds`,
    while new connections are still taken. Then the listener closes, connections that are quiet
    for `quiet_seconds` do, and requests under way have `deadline` seconds to finish; what is left
    is cancelled and its connection dropped. So it is at once when this call is cancelled. The
    sockets are closed in any case. `listening` is set when the first connection can be served.
    The application gets no lifespan events.
    """
    server = Server(
        app,
        stop=stop,
        drain_seconds=drain_seconds,
        deadline=deadline,
        listening=listening or asyncio.Event(),
        on_drain=on_drain or (lambda: None),
        quiet_seconds=quiet_seconds,
    )
    try:
        await server.serve(list(sockets))
    finally:
        server.close_listeners()
        close_all(sockets)  # those that the loop never took over
        await server.abort()


class Server(uvicorn.Server):
    """Uvicorn's server without its signal handlers, and with a stop that drops no request."""

    def __init__(
        self,
        app: Application,
        *,
        stop: asyncio.Event,
        drain_seconds: float,
        deadline: float,
        listening: asyncio.Event,
        on_drain: Callable[[], None],
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        super().__init__(make_config(app))
        self.server_state: State = State(stop, quiet_seconds=quiet_seconds)
        self.servers = []
        self._stop = stop
        self._drain_seconds = drain_seconds
        self._deadline = deadline
        self._listening = listening
        self._on_drain = on_drain
        self._drained_at: float | None = None

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to the runner."""
        yield

    @property
    def clients(self) -> list[HttpProtocol]:
        return [one for one in self.server_state.connections if isinstance(one, HttpProtocol)]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; true ends the serving and begins `shutdown`."""
        await super().on_tick(counter)
        now = asyncio.get_running_loop().time()
        if counter % TICKS_PER_SECOND == 0:
            self._check_clients(now)
        if self._stop.is_set() and self._drained_at is None:
            self._drained_at = now + self._drain_seconds
            self._on_drain()
        return self._drained_at is not None and now >= self._drained_at

    def _check_clients(self, now: float) -> None:
        for client in self.clients:
            client.check(now)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, lets requests under way finish and closes idle connections."""
        await self._stop_listening(sockets or [])
        loop = asyncio.get_running_loop()
        until = loop.time() + self._deadline
        while self.server_state.connections or self.server_state.tasks:
            now = loop.time()
            if now >= until:
                return
            for client in self.clients:
                client.check(now)
                client.shutdown()
            await asyncio.sleep(min(POLL_SECONDS, until - now))

    async def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Closes the listeners, and serves those who were connected but not yet accepted.

        A copy keeps the listener open while the loop lets go of it.
        """
        listeners = [sock.dup() for sock in sockets]
        try:
            for listener in listeners:
                ignore_handshakes(listener)
            await asyncio.sleep(HANDSHAKE_SECONDS)
            self.close_listeners()
            accepted = [connection for one in listeners for connection in take_waiting(one)]
        finally:
            close_all(listeners)
        loop = asyncio.get_running_loop()
        for connection in accepted:
            await loop.connect_accepted_socket(self._make_protocol, connection)

    def close_listeners(self) -> None:
        for server in self.servers:
            server.close()

    def _make_protocol(self) -> HttpProtocol:
        return HttpProtocol(config=self.config, server_state=self.server_state, app_state={})

    async def abort(self) -> None:
        """Cancels requests and drops connections, if any are left; gives the former a moment."""
        tasks = set(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        for client in self.clients:
            client.abort()
        if not tasks:
            return
        log.warning("requests cut off", requests=len(tasks))
        _, stuck = await asyncio.wait(tasks, timeout=ABORT_SECONDS)
        if stuck:
            log.error("requests ignore their cancellation", requests=len(stuck))


def make_config(app: Application) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=HttpProtocol,
        ws="none",
        lifespan="off",  # what the application needs is opened and closed by the runner
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # the application judges X-Forwarded-* by TRUSTED_PROXIES
        server_header=False,
        workers=1,  # or Uvicorn reads WEB_CONCURRENCY by itself
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
