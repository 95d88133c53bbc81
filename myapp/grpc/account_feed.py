"""What changes in accounts, in whichever process, for those who watch.

It hears what every process hears of users, by which it forgets them and ends their streams: each
change is announced once it is committed. An announcement is lost when its process dies just then;
the events `user.updated` and `user.suspended` are not, so it hears those too, as streams do.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from uuid import UUID

import structlog
from cachetools import LRUCache
from grpclib import GRPCError, Status

from myapp.bus import MessageBus, Unsubscribe
from myapp.database.user import User
from myapp.errors import Unavailable
from myapp.events import EventType
from myapp.grpc.generated.account_pb2 import Account, WatchAccountsResponse
from myapp.identity.accounts import Accounts
from myapp.sse.history import parse_message
from myapp.sse.hub import unsubscribe
from myapp.sse.keys import Key

BUFFER = 256  # changes for one watcher, as many as for a reader of events
BATCH = 100  # less than a buffer: who reads in time keeps up with any number of changes
MAX_PENDING = 10_000
MAX_TOLD = 10_000
TICK_SECONDS = 0.5
RETRY_SECONDS = 0.5
EVENTS = frozenset({EventType.USER_UPDATED, EventType.USER_SUSPENDED})

Load = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, User]]]
Describe = Callable[[User], Awaitable[Account]]

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Watcher:
    """One call that is told of changes; `end` ends it with an error."""

    end: Callable[[GRPCError], None]
    changes: asyncio.Queue[WatchAccountsResponse] = field(
        default_factory=lambda: asyncio.Queue(BUFFER)
    )

    def push(self, change: WatchAccountsResponse) -> None:
        try:
            self.changes.put_nowait(change)
        except asyncio.QueueFull:
            text = "Changes come faster than they are read: watch and list again"
            self.end(GRPCError(Status.RESOURCE_EXHAUSTED, text))


class AccountFeed:
    """Reads each account that has changed once, and tells all watchers of this process.

    Let it `run` while calls are served.
    """

    def __init__(
        self, accounts: Accounts, bus: MessageBus, *, load: Load, describe: Describe
    ) -> None:
        """`load` reads those accounts that there are, `describe` makes a message of one."""
        accounts.on_change(self._hear)
        self._bus = bus
        self._load = load
        self._describe = describe
        self._watchers: set[Watcher] = set()
        self._pending: dict[UUID, None] = {}
        # The state of accounts as it was told: most changes are heard twice.
        self._told: LRUCache[UUID, datetime | None] = LRUCache(MAX_TOLD)
        self._wake = asyncio.Event()
        self._listening: asyncio.Task[Unsubscribe] | None = None

    @asynccontextmanager
    async def watch(
        self, end: Callable[[GRPCError], None]
    ) -> AsyncIterator[asyncio.Queue[WatchAccountsResponse]]:
        """All changes from now on. `end` is called when some may have been missed.

        Raises Unavailable while changes of other processes cannot be heard.
        """
        if not self._bus.connected:
            raise Unavailable("Changes are out of reach for the moment")
        watcher = Watcher(end)
        self._watchers.add(watcher)
        try:
            await self._listen()
            yield watcher.changes
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                self._stop_listening()

    async def run(self) -> None:
        """Tells of changes, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            if not self._bus.connected:
                self._interrupt()
            while self._pending:
                await self._tell_next()
                await asyncio.sleep(0)  # who reads in time has emptied its buffer after this

    async def _listen(self) -> None:
        """Hears of events while somebody watches; who comes later waits for the same."""
        if self._listening is None:
            subscribing = self._bus.subscribe(Key.EVERYTHING, self._hear_event)
            self._listening = asyncio.create_task(subscribing)
        await asyncio.shield(self._listening)

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.add_done_callback(unsubscribe)
            self._listening = None

    def _hear_event(self, message: bytes) -> None:
        event = parse_message(message).event
        if event.user_id and event.type in EVENTS:
            self._hear(event.user_id)

    def _hear(self, user_id: UUID | None) -> None:
        if user_id is None or len(self._pending) >= MAX_PENDING:
            self._interrupt()
        elif self._watchers:
            self._pending[user_id] = None
            self._wake.set()

    def _interrupt(self) -> None:
        """Changes may have been missed, or are too many to tell."""
        for watcher in self._watchers:
            text = "Changes may have been missed: watch and list again"
            watcher.end(GRPCError(Status.UNAVAILABLE, text))
        self._watchers.clear()
        self._pending.clear()

    async def _tell_next(self) -> None:
        """The next batch. While the database is away its changes wait."""
        batch = list(islice(self._pending, BATCH))
        for user_id in batch:
            del self._pending[user_id]
        try:
            users = await self._load(batch)
            for user_id in batch:
                await self._tell(user_id, users.get(user_id))
        except Exception as error:  # noqa: BLE001  # whatever it was, they are read again
            log.warning("changed accounts cannot be read", error=repr(error))
            self._pending.update(dict.fromkeys(batch))
            await asyncio.sleep(RETRY_SECONDS)

    async def _tell(self, user_id: UUID, user: User | None) -> None:
        state = user.updated_at if user else None
        if self._told.get(user_id, ...) == state:
            return
        if user is None:
            change = WatchAccountsResponse(purged_id=str(user_id))
        else:
            change = WatchAccountsResponse(account=await self._describe(user))
        self._told[user_id] = state
        for watcher in self._watchers:
            watcher.push(change)
