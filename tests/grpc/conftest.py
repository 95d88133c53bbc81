"""Servers in threads and the real role, and grpcio clients of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from structlog.testing import capture_logs

from myapp.database.api_key import Scope
from myapp.registry import Features
from myapp.resources import Resources
from tests.grpc.probe import Client, Logs, Running
from tests.grpc.reflected import DriverProcess, Metadata, Reflected, running_driver
from tests.grpc.role import Role, running_role
from tests.grpc.wire import Wire
from tests.support.people import issue_key

Serve = Callable[..., Running]
Key = Callable[..., Awaitable[Metadata]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers; what no parameter of Running is goes to GrpcServer."""
    with ExitStack() as stack:

        def start(*, drain_seconds: float = 0.0, deadline: float = 10.0, **options: Any) -> Running:
            running = Running(options, drain_seconds, deadline)
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


@pytest.fixture
def changes() -> dict[str, Any]:
    """Nobody balances load here: there is no need to wait before a stop."""
    return {"drain_seconds": 0.0}


@pytest.fixture(scope="session")
def driver() -> Iterator[DriverProcess]:
    with running_driver() as driver:
        yield driver


@pytest.fixture
async def role(
    resources: Resources, features: Features, driver: DriverProcess
) -> AsyncIterator[Role]:
    """The role `grpc` at work."""
    async with running_role(resources, features) as role:
        yield role
        await asyncio.to_thread(driver.do, "leave")


@pytest.fixture
def stranger(role: Role, driver: DriverProcess) -> Reflected:
    """A client without a key."""
    return Reflected(driver, role.address, {})


@pytest.fixture
def key(features: Features) -> Key:
    """`await key(Scope.ACCOUNTS_READ)` is the metadata of a service."""

    async def issue(*scopes: Scope) -> Metadata:
        return {"x-api-key": (await issue_key(features, *scopes))["X-API-Key"]}

    return issue


@pytest.fixture
async def service(stranger: Reflected, key: Key) -> Reflected:
    """A client with a key that may read and write accounts."""
    return stranger.with_metadata(await key(Scope.ACCOUNTS_READ, Scope.ACCOUNTS_WRITE))
