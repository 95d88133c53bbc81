"""Servers on both event loops, and grpcio clients of them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from tests.grpc.probe import Client, Logs, Running
from tests.grpc.wire import Wire

Serve = Callable[..., Running]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def serve(loop_factory: Any) -> Iterator[Serve]:
    """Starts servers; what no parameter of Running is goes to GrpcServer."""
    with ExitStack() as stack:

        def start(*, drain_seconds: float = 0.0, deadline: float = 10.0, **options: Any) -> Running:
            running = Running(loop_factory, options, drain_seconds, deadline)
            running.start()
            stack.callback(running.close)
            return running

        yield start


@pytest.fixture
def server(serve: Serve) -> Running:
    return serve()


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    client = Client(server.port)
    with closing(client.channel):
        yield client


@pytest.fixture
def dial(server: Running) -> Iterator[Callable[[], Wire]]:
    with ExitStack() as stack:

        def connect() -> Wire:
            wire = Wire(server.port)
            stack.callback(wire.socket.close)
            return wire

        yield connect


@pytest.fixture
def wire(dial: Callable[[], Wire]) -> Wire:
    return dial()


@pytest.fixture(autouse=True)
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[Logs]:
    with capture_logs() as entries:
        yield Logs(entries, caplog.records)
