"""Verified tokens that all processes share through Redis.

Redis is not trusted: an entry is signed and bound to its token's digest, so that writing to
Redis signs nobody in and a copied entry opens no other token. Redis is not needed: whatever goes
wrong with it, the answer is that nothing is known.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import structlog
from itsdangerous import BadSignature, Signer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from myapp.bus import MessageBus
from myapp.identity.base import CLOCK_SKEW_SECONDS, SignIn
from myapp.identity.verification import Verification

# The number is the layout's, in both: releases that run side by side do not read each other's.
KEY_PREFIX = "myapp:token:2:"
SIGNER_SALT = b"myapp verified token 2"
REDIS_SECONDS = 0.25  # asking the provider is about as quick

Result = TypeVar("Result")

log = structlog.get_logger()


class SharedCache:
    """Verifications by the digest of their token. No method ever fails."""

    def __init__(
        self,
        redis: Redis,
        bus: MessageBus,
        *,
        secret: bytes,
        clock: Callable[[], float],
        redis_seconds: float = REDIS_SECONDS,
    ) -> None:
        """`redis` answers in bytes, within `redis_seconds`; the bus says if it is worth a try."""
        self._redis = redis
        self._bus = bus
        self._redis_seconds = redis_seconds
        self._signer = Signer(
            secret, salt=SIGNER_SALT, key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._clock = clock

    async def find(self, digest: bytes) -> Verification | None:
        """The verification of that token, while it is trusted."""
        entry = await self._try(lambda: self._redis.get(key_of(digest)))
        if not isinstance(entry, bytes):
            return None
        try:
            verification = unpack(self._signer.unsign(entry), digest=digest)
        except (BadSignature, ForeignEntryError):
            log.warning("a cached token was tampered with", key=key_of(digest))
            return None
        return verification if is_trusted(verification, now=self._clock()) else None

    async def keep(self, digest: bytes, verification: Verification) -> None:
        """Remembers it for as long as it is trusted."""
        milliseconds = int((verification.trusted_until - self._clock()) * 1000)
        if milliseconds > 0:
            entry = self._signer.sign(pack(verification, digest=digest))
            await self._try(lambda: self._redis.set(key_of(digest), entry, px=milliseconds))

    async def _try(self, command: Callable[[], Awaitable[Result]]) -> Result | None:
        """What Redis says, or None: a slow or absent Redis costs at most a moment."""
        if not self._bus.connected:
            return None
        try:
            async with asyncio.timeout(self._redis_seconds):
                return await command()
        except (RedisError, OSError, TimeoutError) as error:
            log.debug("verified tokens are not shared", error=repr(error))
            return None


class ForeignEntryError(Exception):
    """An entry that is genuine, and another token's."""


def key_of(digest: bytes) -> str:
    return KEY_PREFIX + digest.hex()


def pack(verification: Verification, *, digest: bytes) -> bytes:
    fields: list[Any] = [
        digest.hex(),
        str(verification.user_id),
        verification.sign_in.uid,
        verification.sign_in.issued_at,
        verification.verified_at,
        verification.expires_at,
    ]
    return json.dumps(fields).encode()


def unpack(payload: bytes, *, digest: bytes) -> Verification:
    """What was packed. Raises ForeignEntryError where it was packed for another digest."""
    bound_to, user_id, uid, issued_at, verified_at, expires_at = json.loads(payload)
    if bound_to != digest.hex():
        raise ForeignEntryError
    return Verification(UUID(user_id), SignIn(uid, issued_at), verified_at, expires_at)


def is_trusted(verification: Verification, *, now: float) -> bool:
    """A process whose clock is far ahead of ours cannot have us trust for longer."""
    from_the_future = verification.verified_at > now + CLOCK_SKEW_SECONDS
    return not from_the_future and now < verification.trusted_until
