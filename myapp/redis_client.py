"""The program's clients of Redis, and how they follow a primary that moves."""

from collections.abc import Callable
from typing import Any

from redis.asyncio import Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

# Who we are to `CLIENT LIST`. Left to itself a pool reads redis-py's version from its installed
# files for each connection: 2 ms in which the event loop stands still.
DRIVER = DriverInfo()


class PrimaryConnection(AbstractConnection):
    """A connection that ends when its server turns out to be a replica.

    A primary that is demoted keeps its connections, and READONLY is to redis-py an answer like
    any other. The next connection goes to where the name in the URL leads by then.
    """

    def __init__(
        self, *args: Any, on_demotion: Callable[[], None] | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._on_demotion = on_demotion

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Raises redis-py's ConnectionError, after which a command is sent once more."""
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError as error:
            await self.disconnect(nowait=True)
            if self._on_demotion is not None:
                self._on_demotion()
            raise RedisConnectionError("Redis is a replica by now") from error


class TcpConnection(PrimaryConnection, Connection):
    """For redis://."""


class TlsConnection(PrimaryConnection, SSLConnection):
    """For rediss://."""


class UnixConnection(PrimaryConnection, UnixDomainSocketConnection):
    """For unix://."""


OURS: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: TcpConnection,
    SSLConnection: TlsConnection,
    UnixDomainSocketConnection: UnixConnection,
}


def on_demotion(client: Redis, callback: Callable[[], None]) -> None:
    """Calls back whenever a connection of this client, made from now on, finds itself demoted.

    For those that never write, and so are not told themselves.
    """
    client.connection_pool.connection_kwargs["on_demotion"] = callback


def make_client(url: str, **options: Any) -> Redis:
    """A client that connects with its first command.

    A command on a connection that has died meanwhile is sent once more.
    """
    client: Redis = Redis.from_url(
        url,
        driver_info=DRIVER,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        **options,
    )
    pool = client.connection_pool
    pool.connection_class = OURS[pool.connection_class]
    return client
