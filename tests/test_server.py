"""Serving inside our loop, and stopping without dropping anybody."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from myapp.listener import SO_DETACH_FILTER, bind, set_filter
from myapp.server import Server, serve

MOMENT = 0.1


@dataclass
class App:
    """`/wait` answers when `go_on` is set, `/stubborn` ignores its first cancellation."""

    began: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    events: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.began.set()
        if scope["path"] == "/wait":
            try:
                await self.go_on.wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)  # as a rollback would
                self.events.append("rolled back")
                raise
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
        )
        await send({"type": "http.response.body", "body": b"ok"})


@dataclass
class Running:
    app: App
    port: int
    stop: asyncio.Event
    task: asyncio.Task[None]
    draining: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def wait_until_drained(self) -> float:
        """Stops, and returns the seconds that it took."""
        began = time.monotonic()
        self.stop.set()
        async with asyncio.timeout(10):
            await self.task
        return time.monotonic() - began


@asynccontextmanager
async def running(
    *, drain_seconds: float = 0, deadline: float = 5, **options: float
) -> AsyncIterator[Running]:
    app = App()
    stop, listening = asyncio.Event(), asyncio.Event()
    draining: list[str] = []
    sockets = bind("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    task = asyncio.create_task(
        serve(
            app,
            sockets,
            stop=stop,
            drain_seconds=drain_seconds,
            deadline=deadline,
            listening=listening,
            on_drain=lambda: draining.append("told"),
            **options,
        )
    )
    await listening.wait()
    try:
        yield Running(app, port, stop, task, draining)
    finally:
        task.cancel()
        await asyncio.wait([task])


class LateClient(Server):
    """Meets a client when it will not turn to its event loop again before it stops listening."""

    listener: socket.socket
    client: socket.socket

    def close_listeners(self) -> None:
        set_filter(self.listener, SO_DETACH_FILTER, bytes(4))
        self.client = socket.create_connection(self.listener.getsockname(), timeout=1)
        self.client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        super().close_listeners()


async def is_refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:  # refused, or reset where it met the closing
        return True
    writer.transport.abort()
    return False


class TestServing:
    async def test_any_asgi_application_is_served(self) -> None:
        async with running() as server, httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/")).text == "ok"

    async def test_signals_are_left_alone(self) -> None:
        before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
        async with running():
            during = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
        assert during == before

    async def test_two_servers_run_in_one_loop(self) -> None:
        async with running() as one, running() as other, httpx.AsyncClient() as client:
            assert (await client.get(one.url)).text == (await client.get(other.url)).text == "ok"

    async def test_the_process_count_in_the_environment_is_not_uvicorns(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WEB_CONCURRENCY", "4")
        async with running() as server, httpx.AsyncClient() as client:
            assert (await client.get(server.url)).text == "ok"

    def test_it_does_not_import_quart(self) -> None:
        code = "import sys, myapp.server; sys.exit('quart' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestStopping:
    async def test_an_idle_server_stops_at_once(self) -> None:
        async with running() as server:
            assert await server.wait_until_drained() < 4
            assert server.draining == ["told"]
            assert await is_refused(server.port)

    async def test_while_draining_it_serves_and_says_close(self) -> None:
        async with running(drain_seconds=3) as server, httpx.AsyncClient() as client:
            assert "connection" not in (await client.get(server.url)).headers
            server.stop.set()
            await asyncio.sleep(2 * MOMENT)
            assert server.draining == ["told"]
            for _ in range(2):  # on the open connection, then on a new one
                assert (await client.get(server.url)).headers["connection"] == "close"
            await server.task
            assert await is_refused(server.port)

    async def test_a_request_under_way_is_answered(self) -> None:
        async with running() as server, httpx.AsyncClient() as client:
            asked = asyncio.create_task(client.get(server.url + "/wait"))
            await server.app.began.wait()
            server.stop.set()
            await asyncio.sleep(3 * MOMENT)
            assert await is_refused(server.port)
            assert not server.task.done()
            server.app.go_on.set()
            answer = await asked
            assert answer.text == "ok"
            assert answer.headers["connection"] == "close"
            await server.task

    async def test_a_request_past_the_deadline_is_cancelled_and_rolls_back(self) -> None:
        async with running(deadline=0.2) as server, httpx.AsyncClient() as client:
            asked = asyncio.create_task(client.get(server.url + "/wait"))
            await server.app.began.wait()
            with capture_logs() as logs:
                assert await server.wait_until_drained() < 4
            assert server.app.events == ["rolled back"]
            assert [(line["event"], line["log_level"]) for line in logs] == [
                ("requests cut off", "warning")
            ]
            with pytest.raises(httpx.TransportError):
                await asked

    async def test_its_own_cancellation_is_a_stop_without_patience(self) -> None:
        async with running() as server, httpx.AsyncClient() as client:
            asked = asyncio.create_task(client.get(server.url + "/wait"))
            await server.app.began.wait()
            server.task.cancel()
            async with asyncio.timeout(5):
                await asyncio.wait([server.task])
            assert server.task.cancelled()
            assert server.app.events == ["rolled back"]
            assert await is_refused(server.port)
            with pytest.raises(httpx.TransportError):
                await asked

    async def test_an_idle_connection_does_not_hold_it_up(self) -> None:
        async with running() as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            async with httpx.AsyncClient() as client:
                await client.get(server.url)
                assert await server.wait_until_drained() < 4
            writer.transport.abort()

    async def test_a_fresh_connection_is_given_a_moment(self) -> None:
        async with running(quiet_seconds=3) as server:  # a busy machine is slow
            server.stop.set()
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await asyncio.sleep(3 * MOMENT)
            assert await is_refused(server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.read()).endswith(b"\r\n\r\nok")
            writer.transport.abort()
            await server.task

    async def test_who_was_connected_before_anybody_accepted_is_served(self) -> None:
        sockets = bind("127.0.0.1", 0)
        address = sockets[0].getsockname()
        streams = [await asyncio.open_connection(*address) for _ in range(5)]
        for _, writer in streams:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        stop = asyncio.Event()
        stop.set()
        await serve(App(), sockets, stop=stop, drain_seconds=0, deadline=5)
        for reader, writer in streams:
            assert (await reader.read()).endswith(b"\r\n\r\nok")
            writer.transport.abort()

    async def test_who_connects_at_the_last_moment_is_served(self) -> None:
        (listener,) = bind("127.0.0.1", 0)
        stop = asyncio.Event()
        stop.set()
        server = LateClient(
            App(),
            stop=stop,
            drain_seconds=0,
            deadline=5,
            listening=asyncio.Event(),
            on_drain=lambda: None,
        )
        server.listener = listener
        await server.serve([listener])
        with server.client:
            assert server.client.recv(1000).endswith(b"\r\n\r\nok")

    async def test_a_stalled_reader_does_not_outlive_the_deadline(self) -> None:
        async with running(deadline=0.3) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # it reads as well
            writer.write(b"GET / HTTP/1.1\r\n\r\n" * 10 + b"GET / HT")
            await asyncio.sleep(MOMENT)
            assert await server.wait_until_drained() < 4
            writer.transport.abort()


class TestStoppingUnderLoad:
    """Clients in threads of their own, so that they meet the server at any moment of its stop."""

    @pytest.mark.parametrize("drain_seconds", [0, 0.3])
    async def test_no_request_is_dropped(self, drain_seconds: float) -> None:
        outcomes: list[str] = []
        # Who is quiet for longer takes the risk: a client of a busy machine must not have to.
        async with running(drain_seconds=drain_seconds, quiet_seconds=3) as server:
            clients = [
                threading.Thread(target=ask_until_refused, args=(server.port, number, outcomes))
                for number in range(16)
            ]
            for client in clients:
                client.start()
            await asyncio.sleep(5 * MOMENT)
            async with asyncio.timeout(10):
                while outcomes.count("answered") <= len(clients):  # noqa: ASYNC110  # other threads
                    await asyncio.sleep(MOMENT)
            await server.wait_until_drained()
            for client in clients:
                await asyncio.to_thread(client.join)
        assert set(outcomes) == {"answered", "refused"}
        assert outcomes.count("refused") == len(clients)


def ask_until_refused(port: int, number: int, outcomes: list[str]) -> None:
    """Asks on one connection as long as it may, or on a new one each time, until none is taken."""
    limits = httpx.Limits(max_keepalive_connections=number % 2)
    with httpx.Client(limits=limits, verify=False) as client:
        while True:
            try:
                client.get(f"http://127.0.0.1:{port}/").raise_for_status()
                outcomes.append("answered")
            except httpx.ConnectError:
                outcomes.append("refused")
                return
            except httpx.HTTPError as error:
                outcomes.append(repr(error))
            time.sleep(0.02 * (number % 3))


def test_the_signal_of_a_stop_is_not_uvicorns_to_raise_again() -> None:
    """Uvicorn raises captured signals again at its end: here there are none to raise."""
    code = """
import asyncio, signal
from myapp.listener import bind
from myapp.server import serve

async def app(scope, receive, send): ...

async def main():
    stop, listening = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    serving = asyncio.create_task(serve(app, bind("127.0.0.1", 0), stop=stop, drain_seconds=0,
                                        deadline=1, listening=listening))
    await listening.wait()
    print("ready", flush=True)
    await serving

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=30) == 0
