"""What every connection to Redis is made with, and where it goes when the primary moves."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from myapp.bus import MessageBus
from myapp.errors import Unavailable
from myapp.queue.connection import connect_queue
from myapp.redis_client import PrimaryConnection, on_demotion
from myapp.resources import connect
from tests.support.hubs import until
from tests.support.valkey import Valkey, running_valkey

ClientOf = Callable[[str], Redis]
Write = Callable[[Redis], Awaitable[Any]]

both_clients = pytest.mark.parametrize("client_of", [connect, connect_queue])


@both_clients
def test_none_reads_the_librarys_version_from_its_files(client_of: ClientOf) -> None:
    pool = client_of("unix:///nonexistent/socket").connection_pool
    first, second = (pool.connection_class(**pool.connection_kwargs) for _ in range(2))
    assert first.driver_info is second.driver_info is not None


class Primary:
    """A name that leads to one of two servers."""

    def __init__(self, path: Path, first: Valkey, second: Valkey) -> None:
        self.url = f"unix://{path}"
        self._path = path
        self._first, self._second = first, second
        path.symlink_to(first.socket)

    def fail_over(self) -> None:
        self.demote()
        self.move()

    def demote(self) -> None:
        """The first one lives on, as a replica of somebody who is not there."""
        demote(self._first)

    def move(self) -> None:
        """The name leads to the second one from now on."""
        self._path.unlink()
        self._path.symlink_to(self._second.socket)


def demote(server: Valkey) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("127.0.0.1", "1")


@pytest.fixture
def primary() -> Iterator[Primary]:
    with (
        running_valkey() as first,
        running_valkey() as second,
        TemporaryDirectory(prefix="v") as folder,
    ):
        yield Primary(Path(folder, "s"), first, second)


async def set_key(client: Redis) -> None:
    await client.set("key", "value")


async def run_script(client: Redis) -> None:
    await client.register_script("return redis.call('SET', 'key', 'value')")()


async def run_pipeline(client: Redis, *, transaction: bool = False) -> None:
    async with client.pipeline(transaction=transaction) as pipeline:
        pipeline.get("key")
        pipeline.set("key", "value")
        await pipeline.execute()


async def run_transaction(client: Redis) -> None:
    await run_pipeline(client, transaction=True)


class TestFailover:
    @both_clients
    @pytest.mark.parametrize("write", [set_key, run_script, run_pipeline, run_transaction])
    async def test_a_write_reaches_the_new_primary_at_once(
        self, client_of: ClientOf, write: Write, primary: Primary
    ) -> None:
        async with client_of(primary.url) as client:
            await write(client)
            primary.fail_over()
            await write(client)
            assert await client.get("key") in ("value", b"value")

    @pytest.mark.parametrize("moves_late", [False, True])
    async def test_the_bus_goes_along_which_never_writes(
        self, primary: Primary, moves_late: bool
    ) -> None:
        heard: list[bytes] = []
        async with connect(primary.url) as client:
            bus = MessageBus(client, publish_seconds=5)
            on_demotion(client, bus.leave)
            async with bus, asyncio.timeout(30):
                await bus.subscribe("news", heard.append)
                await client.set("key", "value")
                primary.demote()
                if not moves_late:
                    primary.move()
                with suppress(RedisConnectionError):
                    await client.set("key", "value")
                if moves_late:
                    await until(lambda: not bus.connected, within=15)
                    await asyncio.sleep(1)
                    assert not bus.connected
                    primary.move()
                while not heard:
                    with suppress(Unavailable):
                        await bus.publish("news", b"here")
                    await asyncio.sleep(0.05)

    @both_clients
    async def test_a_replica_that_has_the_name_is_out_of_reach_and_keeps_no_connections(
        self, client_of: ClientOf, own_valkey: Valkey
    ) -> None:
        demote(own_valkey)
        async with client_of(own_valkey.url) as client:
            for _ in range(5):
                with pytest.raises(RedisConnectionError, match="replica"):
                    await client.set("key", "value")
            assert len(await client.client_list()) == 1

    @both_clients
    @pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
    def test_every_address_has_such_connections(self, client_of: ClientOf, scheme: str) -> None:
        pool = client_of(f"{scheme}:///nonexistent").connection_pool
        assert issubclass(pool.connection_class, PrimaryConnection)
