"""Who the caller is: from an identity token to a user who may come in."""

import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from cachetools import TLRUCache, TTLCache

from myapp.database.user import User
from myapp.errors import Unauthenticated, Unavailable
from myapp.identity.accounts import Accounts
from myapp.identity.base import (
    MAX_TOKEN_CHARACTERS,
    Identity,
    IdentityProvider,
    NotYetValid,
    SignIn,
    check_shape,
)
from myapp.identity.shared_cache import SharedCache
from myapp.identity.single_flight import SingleFlight
from myapp.identity.verification import Verification, digest_key

MAX_TOKENS = 50_000
MAX_REFUSED = 10_000
REFUSED_SECONDS = 10.0  # long enough to spare the work, short enough to forgive a hiccup

Resolve = Callable[[Identity], Awaitable[UUID]]
Check = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller who was let in. The user is shared: read it, and load your own to change it."""

    user: User
    sign_in: SignIn
    expires_at: datetime


class Authenticator:
    """Turns a token into a principal, by memory where it can.

    A verification is trusted for five minutes and never past the token's expiry; the user's
    state is at most five seconds old.
    """

    def __init__(
        self,
        provider: IdentityProvider,
        accounts: Accounts,
        shared: SharedCache,
        *,
        resolve: Resolve,
        secret: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`resolve` finds or creates the user of a verified identity and returns their id."""
        self._provider = provider
        self._accounts = accounts
        self._shared = shared
        self._resolve = resolve
        self._key = digest_key(secret)
        self._clock = clock
        self._known: TLRUCache[bytes, Verification] = TLRUCache(
            MAX_TOKENS, ttu=lambda _key, value, _now: value.trusted_until, timer=clock
        )
        self._refused: TTLCache[bytes, str] = TTLCache(MAX_REFUSED, REFUSED_SECONDS, timer=clock)
        self._flights: SingleFlight[tuple[bytes, bool], Verification] = SingleFlight()

    async def knows(self, token: str) -> bool:
        """Whether any process has verified the token and trusts it: it is no guess."""
        digest = self._digest(token)
        return digest in self._known or await self._shared.find(digest) is not None

    async def authenticate(self, token: str, *, before_learning: Check | None = None) -> Principal:
        """The principal whose token this is.

        `before_learning` is called before a token is looked into that this process does not know;
        what it raises comes through. Raises Unauthenticated for a token that is not good,
        Forbidden for a suspended or deleted account, and Unavailable where that cannot be found
        out now.
        """
        digest = self._digest(token)
        known = self._known.get(digest)
        if known is None:
            if before_learning is not None:
                await before_learning(token)
            known = await self._learn(digest, token, recall=True)
        user = await self._accounts.get(known.user_id)
        if user is None:  # The account was purged: its identity may start afresh.
            known = await self._learn(digest, token, recall=False)
            user = await self._accounts.get(known.user_id)
        if user is None:
            raise Unavailable("The account is being removed")
        user.check_active()
        return Principal(user, known.sign_in, datetime.fromtimestamp(known.expires_at, UTC))

    def _digest(self, token: str) -> bytes:
        """All of the token, keyed: part of it is shared by every token of the same issuer."""
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise Unauthenticated("The token is malformed")
        return hmac.digest(self._key, token.encode(), "sha256")

    async def _learn(self, digest: bytes, token: str, *, recall: bool) -> Verification:
        """Finds out once, however many ask; with `recall` what other processes know will do."""
        check_shape(token)
        if refused := self._refused.get(digest):
            raise Unauthenticated(refused)
        return await self._flights.run(
            (digest, recall),
            partial(self._find_out, digest, token, recall=recall),
            keep=partial(self._known.__setitem__, digest),
        )

    async def _find_out(self, digest: bytes, token: str, *, recall: bool) -> Verification:
        if recall and (found := await self._shared.find(digest)):
            return found
        verification = await self._verify(digest, token)
        await self._shared.keep(digest, verification)
        return verification

    async def _verify(self, digest: bytes, token: str) -> Verification:
        verified_at = self._clock()
        try:
            identity = await self._ask_provider(token)
        except NotYetValid:
            raise  # It is not remembered: the same token is right in a moment.
        except Unauthenticated as error:
            self._refused[digest] = error.text
            raise
        user_id = await self._resolve(identity)
        expires_at = identity.expires_at.timestamp()
        return Verification(user_id, identity.sign_in, verified_at, expires_at)

    async def _ask_provider(self, token: str) -> Identity:
        identity = await self._provider.verify(token)
        if identity.expires_at.timestamp() <= self._clock():
            raise Unauthenticated("The token has expired")
        return identity
