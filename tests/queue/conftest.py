"""Real servers for the queue's tests, and workers that hurry."""

import asyncio
import inspect
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from myapp.queue.client import JobQueue
from myapp.queue.connection import connect_queue
from myapp.queue.liveness import Timings
from myapp.queue.tasks import Registry
from myapp.queue.worker import Worker
from tests.support.valkey import Valkey, running_valkey

# Its lease is long: who stood still for a moment, as on a busy machine, would lose its jobs.
FAST = Timings(beat=0.1, fence=20, lease=30, idle=0.1, trim=0.2, goodbye=5)


@asynccontextmanager
async def client_of(server: Valkey) -> AsyncIterator[Redis]:
    client = connect_queue(server.url)
    try:
        yield client
    finally:
        await client.aclose()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with running_valkey(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def redis7() -> Iterator[Valkey]:
    binary = shutil.which("redis-server")
    if not binary:
        pytest.skip("there is no redis-server here")
    with running_valkey(durable=True, binary=binary) as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[Valkey]:
    """A server to be maltreated."""
    with running_valkey(durable=True) as server:
        yield server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Valkey:
    """Valkey, unless the test asks for another by its fixture's name."""
    found = request.getfixturevalue(getattr(request, "param", "valkey"))
    assert isinstance(found, Valkey)
    return found


@pytest.fixture
async def redis(server: Valkey) -> AsyncIterator[Redis]:
    async with client_of(server) as client:
        await client.flushall()
        yield client


@pytest.fixture
def queue(redis: Redis) -> JobQueue:
    return JobQueue(redis)


Work = Callable[..., AbstractAsyncContextManager[Worker]]


@asynccontextmanager
async def run_worker(redis: Redis, registry: Registry, **options: Any) -> AsyncIterator[Worker]:
    worker = Worker(
        redis, registry, **{"timings": FAST, "deadline": 1.0 + FAST.farewell, **options}
    )
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await running


@pytest.fixture
def work(redis: Redis) -> Work:
    """`async with work(registry) as worker:` runs a worker for as long."""

    def start(registry: Registry, **options: Any) -> AbstractAsyncContextManager[Worker]:
        return run_worker(redis, registry, **options)

    return start


async def wait_until(check: Callable[[], Any], within: float = 30.0) -> Any:
    """What `check` answers, once that is true."""
    deadline = time.monotonic() + within
    while True:
        answer = check()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s")
        await asyncio.sleep(0.02)


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    return wait_until
