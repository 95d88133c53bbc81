"""Tickets: what opens one stream, once, for a client that can send no headers."""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from itsdangerous import BadSignature, Signer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from myapp.errors import Unauthenticated, Unavailable
from myapp.identity.base import SignIn
from myapp.sse.keys import Key

TICKET_LIFETIME = timedelta(seconds=30)
TICKET_BYTES = 32
TICKET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # that many bytes in base64url
SIGNER_SALT = b"myapp stream ticket 2"  # the number is the layout's, as in the key's name

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a ticket lets in, by which token it was got, and when that expires."""

    user_id: UUID
    sign_in: SignIn
    expires_at: datetime


class Tickets:
    """Tickets in Redis. It holds only their digests, and its word alone lets nobody in: what it
    keeps is signed and bound to its ticket. Methods raise Unavailable.
    """

    def __init__(self, redis: Redis, *, secret: bytes) -> None:
        self._redis = redis
        self._signer = Signer(
            secret, salt=SIGNER_SALT, key_derivation="hmac", digest_method=hashlib.sha256
        )

    async def issue(self, holder: Holder) -> str:
        """A new ticket, good for half a minute and one stream."""
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        digest = digest_of(ticket)
        entry = self._signer.sign(pack(holder, digest))
        try:
            await self._redis.set(Key.TICKET % digest, entry, px=TICKET_LIFETIME)
        except (RedisError, OSError) as error:
            raise Unavailable("Tickets are out of reach for the moment") from error
        return ticket

    async def redeem(self, ticket: str) -> Holder:
        """Uses the ticket up, for whoever comes first. Raises Unauthenticated."""
        digest = digest_of(ticket)
        entry = await self._take(digest) if TICKET.fullmatch(ticket) else None
        if entry is None:
            raise Unauthenticated("The ticket is unknown, used up or expired")
        holder = self._unpack(entry, digest)
        if holder.expires_at <= datetime.now(UTC):
            raise Unauthenticated("The token behind this ticket has expired")
        return holder

    async def _take(self, digest: str) -> bytes | None:
        try:
            entry: bytes | None = await self._redis.getdel(Key.TICKET % digest)
        except (RedisError, OSError) as error:
            raise Unavailable("Tickets are out of reach for the moment") from error
        return entry

    def _unpack(self, entry: bytes, digest: str) -> Holder:
        try:
            bound_to, *fields = json.loads(self._signer.unsign(entry))
        except BadSignature:
            bound_to = None
        if bound_to != digest:
            log.warning("a ticket's entry was tampered with")
            raise Unauthenticated("The ticket is unknown, used up or expired")
        user_id, uid, issued_at, expires_at = fields
        return Holder(UUID(user_id), SignIn(uid, issued_at), datetime.fromisoformat(expires_at))


def pack(holder: Holder, digest: str) -> bytes:
    fields = [
        str(holder.user_id),
        holder.sign_in.uid,
        holder.sign_in.issued_at,
        holder.expires_at.isoformat(),
    ]
    return json.dumps([digest, *fields]).encode()


def digest_of(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
