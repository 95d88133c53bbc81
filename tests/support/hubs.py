"""What one process has of live events; tests run several in one event loop.

All that they share is a real server.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from myapp.bus import MessageBus
from myapp.database.user import User
from myapp.errors import Unavailable
from myapp.events import Event
from myapp.identity.accounts import Accounts
from myapp.identity.base import MOST_SIGN_INS, SignIn
from myapp.sse.guard import Standing
from myapp.sse.history import KEPT_EVENTS
from myapp.sse.hub import CLOSE_SECONDS, ENDS_A_SECOND, Hub
from myapp.sse.leases import Leases
from myapp.sse.metrics import StreamMetrics
from myapp.sse.revocation import REVOCATION_SECONDS
from myapp.sse.stream import Reader, Stream
from tests.support.event_stream import Parser

SECRET = b"s" * 32
HOUR = 3600.0
SIGN_IN = SignIn("ada", 1_800_000_000)


@dataclass
class Client:
    """Reads a stream as a connection would, in a task of its own."""

    stream: Stream
    parser: Parser = field(default_factory=Parser)
    aborted: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def last_id(self) -> str | None:
        return self.parser.last_id

    @property
    def numbers(self) -> list[int]:
        return self.parser.numbers

    @property
    def ended(self) -> bool:
        return self.task is not None and self.task.done()

    def start(self) -> None:
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            await self.parser.read(self.stream)
        finally:
            self.stream.close()

    async def close(self) -> None:
        if self.task is None:
            self.stream.close()
            return
        self.task.cancel()
        await asyncio.wait([self.task])


class Process:
    """What one process of the api role has of live events."""

    def __init__(
        self,
        url: str,
        users: dict[UUID, User],
        *,
        lease_seconds: float = 45.0,
        bus_type: type[MessageBus] = MessageBus,
        kept_events: int = KEPT_EVENTS,
        ends_a_second: int = ENDS_A_SECOND,
        leases_type: Callable[..., Leases] = Leases,
        close_seconds: float = CLOSE_SECONDS,
        revocation_seconds: float = REVOCATION_SECONDS,
    ) -> None:
        self.redis: Redis = Redis.from_url(
            url,
            socket_timeout=2,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self.users = users
        self.ended: set[SignIn] = set()
        self.provider_is_away = False
        self.unlucky: SignIn | None = None  # the provider does not answer where it is asked for
        self.bus = bus_type(self.redis)
        self.accounts = Accounts(self.bus, load=self._load)
        self.registry = CollectorRegistry()
        self.hub = Hub(
            self.redis,
            self.bus,
            self.accounts,
            secret=SECRET,
            metrics=StreamMetrics(self.registry),
            load_standings=self._load_standings,
            leases=leases_type(self.redis, lease_seconds=lease_seconds),
            kept_events=kept_events,
            ends_a_second=ends_a_second,
            close_seconds=close_seconds,
            find_ended=self._find_ended,
            revocation_seconds=revocation_seconds,
        )
        self.clients: list[Client] = []

    async def _load(self, user_id: UUID) -> User | None:
        return self.users.get(user_id)

    async def _load_standings(self, user_ids: Sequence[UUID]) -> list[Standing]:
        found = [self.users[user_id] for user_id in user_ids if user_id in self.users]
        return [Standing(user.id, user.status, user.role) for user in found]

    async def _find_ended(self, sign_ins: Collection[SignIn]) -> set[SignIn]:
        assert 1 <= len(sign_ins) <= MOST_SIGN_INS
        if self.provider_is_away or self.unlucky in sign_ins:
            raise Unavailable
        return self.ended & set(sign_ins)

    async def connect(
        self,
        user: User,
        *,
        last_event_id: str | None = None,
        lifetime: float = HOUR,
        is_admin: bool = False,
        reads: bool = True,
        sign_in: SignIn = SIGN_IN,
    ) -> Client:
        """A client of that user's; with `reads` it takes what comes."""
        found: list[Client] = []

        def abort() -> None:
            found[0].aborted = True
            if found[0].task:
                found[0].task.cancel()

        reader = Reader(user.id, sign_in, time.time() + lifetime, is_admin, abort)
        client = Client(await self.hub.open(reader, last_event_id=last_event_id))
        found.append(client)
        self.clients.append(client)
        if reads:
            client.start()
            await until(lambda: bool(client.parser.frames))
        return client

    async def tell(self, user: User | None, n: int, *, outbox_id: str | None = None) -> str:
        """Publishes a numbered event, to everybody if there is no user."""
        event = Event("test.number", json.dumps({"n": n}).encode(), user.id if user else None)
        return await self.hub.publish(event, outbox_id=outbox_id)

    def metric(self, name: str) -> float:
        value = self.registry.get_sample_value(name)
        assert value is not None
        return value


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    async with process.redis, process.bus, process.accounts, process.hub:
        yield process
        for client in process.clients:
            await client.close()


async def until(condition: Callable[[], bool], *, within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  # it looks from outside, as a user would
            await asyncio.sleep(0.005)
