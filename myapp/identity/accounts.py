"""What a process remembers of users, and how it hears that one has changed."""

import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Self
from uuid import UUID

import structlog
from cachetools import TLRUCache

from myapp.bus import MessageBus, call_back
from myapp.database.user import User
from myapp.errors import Unavailable
from myapp.identity.single_flight import SingleFlight

CHANNEL = "myapp:accounts"
LIFETIME_SECONDS = 5.0  # how late a change is noticed while Redis is away
MAX_ACCOUNTS = 50_000

LoadUser = Callable[[UUID], Awaitable[User | None]]
OnChange = Callable[[UUID | None], None]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Remembered:
    """A user as the database had it, good until a time of the clock."""

    user: User
    until: float


class Accounts:
    """Users from memory, at most 5 seconds old, and forgotten at once where one is announced.

    Open it as a context manager, inside the bus.
    """

    def __init__(
        self, bus: MessageBus, *, load: LoadUser, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`load` reads one user from the database, None where there is none."""
        self._bus = bus
        self._load = load
        self._clock = clock
        self._remembered: TLRUCache[UUID, Remembered] = TLRUCache(
            MAX_ACCOUNTS, ttu=lambda _key, value, _now: value.until, timer=clock
        )
        self._loads: SingleFlight[UUID, Remembered | None] = SingleFlight()
        self._change_callbacks: list[OnChange] = []
        self._open = ExitStack()
        self._told = False

    async def __aenter__(self) -> Self:
        self._open.callback(self._bus.on_reconnect(self._forget_all))
        self._open.callback(await self._bus.subscribe(CHANNEL, self._hear))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open.close()

    def on_change(self, callback: OnChange) -> None:
        """Calls back with the id of a user who changed, or with None: anybody may have.

        The same change may be heard twice.
        """
        self._change_callbacks.append(callback)

    async def get(self, user_id: UUID) -> User | None:
        """The user, at most 5 seconds old, or None where there is none.

        It is shared by all who ask: read it, and load your own to change it. Whatever the
        database raises comes through.
        """
        remembered = self._remembered.get(user_id)
        if remembered is None:
            remembered = await self._loads.run(
                user_id, partial(self._read, user_id), keep=partial(self._keep, user_id)
            )
        return None if remembered is None else remembered.user

    def forget(self, user_id: UUID) -> None:
        """Who asks from now on learns what the database has now."""
        self._remembered.pop(user_id, None)
        self._loads.forget(user_id)
        self._call(user_id)

    async def announce(self, user_id: UUID) -> None:
        """Has every process forget this user: call it after the commit of a change.

        It never fails: without Redis the others notice when their memory is 5 seconds old.
        """
        self.forget(user_id)
        try:
            await self._bus.publish(CHANNEL, str(user_id).encode())
        except Unavailable as error:
            if not self._told:
                log.warning("changes of users are not announced", error=str(error))
            self._told = True
        else:
            self._told = False

    async def _read(self, user_id: UUID) -> Remembered | None:
        until = self._clock() + LIFETIME_SECONDS  # it may be as old as the question
        user = await self._load(user_id)
        return None if user is None else Remembered(user, until)

    def _keep(self, user_id: UUID, remembered: Remembered | None) -> None:
        if remembered is not None:
            self._remembered[user_id] = remembered

    def _hear(self, message: bytes) -> None:
        self.forget(UUID(message.decode()))

    def _forget_all(self) -> None:
        """After a gap in which changes may have been announced."""
        self._remembered.clear()
        self._loads.clear()
        self._call(None)

    def _call(self, user_id: UUID | None) -> None:
        for callback in self._change_callbacks:
            call_back(callback, user_id)
