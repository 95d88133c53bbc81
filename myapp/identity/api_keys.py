"""Which service calls: from an API key to a principal with scopes."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Self
from uuid import UUID

import structlog
from cachetools import LRUCache, TLRUCache

from myapp.bus import MessageBus, call_back
from myapp.database.api_key import ApiKey
from myapp.errors import Unauthenticated, Unavailable
from myapp.identity.key_format import KeyParts, parse_key
from myapp.identity.key_uses import KeyUses
from myapp.identity.single_flight import SingleFlight
from myapp.until import end

CHANNEL = "myapp:api-keys"
LIFETIME_SECONDS = 5.0  # how late a change is noticed while Redis is away
MAX_KEYS = 50_000

LoadKey = Callable[[str], Awaitable[ApiKey | None]]
OnChange = Callable[[str | None], None]
Check = Callable[[], Awaitable[None]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ApiKeyPrincipal:
    """A service that was let in by its key."""

    id: UUID
    name: str
    scopes: frozenset[str]
    public_id: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the database had under a public id, also nothing; good until a time of the clock."""

    key: ApiKey | None
    until: float


class KeyRing:
    """Knows API keys, from memory at most 5 seconds old and forgotten at once where announced.

    Open it as a context manager, inside the bus and the database.
    """

    def __init__(
        self, bus: MessageBus, *, load: LoadKey, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`load` reads one key by its public id, None where there is none."""
        self._bus = bus
        self._load = load
        self._clock = clock
        self._uses = KeyUses()
        self._remembered: TLRUCache[str, Remembered] = TLRUCache(
            MAX_KEYS, ttu=lambda _key, value, _now: value.until, timer=clock
        )
        self._loads: SingleFlight[str, Remembered] = SingleFlight()
        # By the secret's hash, and for longer than it is trusted: a service that calls rarely is
        # none that guesses.
        self._let_in: LRUCache[str, None] = LRUCache(MAX_KEYS)
        self._learning: set[asyncio.Task[ApiKey]] = set()
        self._change_callbacks: list[OnChange] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._uses)
        self._open.callback(self._bus.on_reconnect(self._forget_all))
        self._open.callback(await self._bus.subscribe(CHANNEL, self._hear))
        return self

    async def __aexit__(self, *_: object) -> None:
        for learning in tuple(self._learning):
            await end(learning)
        await self._open.aclose()

    def on_change(self, callback: OnChange) -> None:
        """Calls back with the public id of a key that changed, or with None: any may have."""
        self._change_callbacks.append(callback)

    async def authenticate(
        self,
        text: str,
        *,
        before_learning: Check | None = None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> ApiKeyPrincipal:
        """The principal whose key this is.

        `before_learning` is called before a key is looked into that this process has not let in
        yet: it may be a guess. What it raises comes through. `on_failure` is called for a bad key,
        also when its caller has gone meanwhile. Raises Unauthenticated for a key that is mistyped,
        unknown, expired or revoked. What the database raises while it is away comes through: an
        outage is no bad key.
        """
        try:
            parts = parse_key(text)
        except Unauthenticated:
            if before_learning is not None:
                await before_learning()
            on_failure()
            raise
        key = self._recall(parts)
        if key is None:
            if before_learning is not None and parts.secret_hash not in self._let_in:
                await before_learning()
            learning = asyncio.create_task(self._learn(parts, on_failure))
            self._learning.add(learning)
            learning.add_done_callback(self._learning.discard)
            key = await asyncio.shield(learning)
        self._uses.note(key)
        return ApiKeyPrincipal(key.id, key.name, frozenset(key.scopes), key.public_id)

    def forget(self, public_id: str) -> None:
        """Who uses it from now on meets what the database has now."""
        self._remembered.pop(public_id, None)
        self._loads.forget(public_id)
        self._call(public_id)

    async def announce(self, public_id: str) -> None:
        """Has every process forget this key: call it after the commit of a change.

        It never fails: without Redis the others notice when their memory is 5 seconds old.
        """
        self.forget(public_id)
        try:
            await self._bus.publish(CHANNEL, public_id.encode())
        except Unavailable as error:
            log.warning("a change of an API key is not announced", error=str(error))

    def _recall(self, parts: KeyParts) -> ApiKey | None:
        """The key, if it is remembered and good."""
        remembered = self._remembered.get(parts.public_id)
        return good_key(remembered.key, parts, at=datetime.now(UTC)) if remembered else None

    async def _learn(self, parts: KeyParts, on_failure: Callable[[], None]) -> ApiKey:
        """The key, by memory or from the database. Raises Unauthenticated for one not good."""
        remembered = self._remembered.get(parts.public_id)
        if remembered is None:
            remembered = await self._loads.run(
                parts.public_id,
                partial(self._read, parts.public_id),
                keep=partial(self._remembered.__setitem__, parts.public_id),
            )
        key = good_key(remembered.key, parts, at=datetime.now(UTC))
        if key is None:
            self._let_in.pop(parts.secret_hash, None)
            on_failure()
            # One answer for all that is wrong.
            raise Unauthenticated("The API key is unknown, expired or revoked")
        self._let_in[parts.secret_hash] = None
        return key

    async def _read(self, public_id: str) -> Remembered:
        until = self._clock() + LIFETIME_SECONDS  # it may be as old as the question
        return Remembered(await self._load(public_id), until)

    def _hear(self, message: bytes) -> None:
        self.forget(message.decode())

    def _forget_all(self) -> None:
        """After a gap in which changes may have been announced."""
        self._remembered.clear()
        self._loads.clear()
        self._call(None)

    def _call(self, public_id: str | None) -> None:
        for callback in self._change_callbacks:
            call_back(callback, public_id)


def good_key(key: ApiKey | None, parts: KeyParts, *, at: datetime) -> ApiKey | None:
    """The key, if this is its secret and it still holds."""
    if (
        key is None
        or not any(
            hmac.compare_digest(secret, parts.secret_hash) for secret in key.current_secrets(at=at)
        )
        or key.is_dead(at=at)
    ):
        return None
    return key
