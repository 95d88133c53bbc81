"""What an identity provider is, and what it says of a token."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from myapp.errors import Unauthenticated

MAX_TOKEN_CHARACTERS = 8192
MAX_UID_CHARACTERS = 128  # Firebase's own limit
MOST_SIGN_INS = 100  # that are asked for at once: Firebase's own limit
CLOCK_SKEW_SECONDS = 10  # how far ahead of ours a provider's clock may be

# Base64url in its one canonical spelling: the bits that a last character has to spare are zero.
# Decoders ignore those bits, so that a token with its last character changed could pass for new.
BASE64URL = r"(?:[A-Za-z0-9_-]{4})*+(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?"
TOKEN = re.compile(rf"(?=[^.])({BASE64URL})\.(?=[^.])({BASE64URL})\.({BASE64URL})")

# NUL is no text for PostgreSQL, a lone surrogate is none for any database.
UNFIT_FOR_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class NotYetValid(Unauthenticated):
    """A genuine token from the near future: the same token may be right in a moment."""

    message = "The token is not valid yet"


@dataclass(frozen=True, slots=True)
class SignIn:
    """Whose token it is, by the provider's id, and when it was issued (unix seconds)."""

    uid: str
    issued_at: float


@dataclass(frozen=True, slots=True)
class Identity:
    """What a verified token says. Nothing in it came from anywhere but the provider.

    `uid` is the provider's id for the person. `email` may be missing, and only a verified one
    means anything. Times are in UTC.
    """

    uid: str
    email: str | None
    email_verified: bool
    name: str | None
    issued_at: datetime
    expires_at: datetime

    @property
    def sign_in(self) -> SignIn:
        return SignIn(self.uid, self.issued_at.timestamp())


class IdentityProvider(Protocol):
    """Says whose token this is."""

    async def verify(self, token: str) -> Identity:
        """The identity behind a token.

        Raises Unauthenticated for a token that is malformed, forged, expired or revoked,
        NotYetValid (also an Unauthenticated) for one from the future, and Unavailable when the
        provider cannot be asked.
        """

    async def find_ended(self, sign_ins: Collection[SignIn]) -> frozenset[SignIn]:
        """Which of these, at most MOST_SIGN_INS, are good no more although no token has expired:
        it was revoked, or its owner was disabled or deleted.

        None, where the provider may not be asked. Raises Unavailable when it does not answer.
        """

    async def close(self) -> None:
        """Gives back threads and connections."""


def check_shape(token: str) -> None:
    """Raises Unauthenticated for what cannot be a JWT at all: cheap, before anything costs."""
    if len(token) > MAX_TOKEN_CHARACTERS or not TOKEN.fullmatch(token):
        raise Unauthenticated("The token is malformed")


def identity_from(claims: Mapping[str, Any], *, now: float) -> Identity:
    """The identity that verified claims describe; `now` is in unix seconds.

    The expiry is checked here without any tolerance: libraries grant some, and Firebase's does
    not look at all when it trusts its emulator. Raises Unauthenticated.
    """
    try:
        issued_at, expires_at = (
            datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp")
        )
        expired = claims["exp"] <= now
        early = claims["iat"] > now + CLOCK_SKEW_SECONDS
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise Unauthenticated("The token lacks a valid time") from None
    if expired:
        raise Unauthenticated("The token has expired")
    if early:
        raise NotYetValid
    email = _text(claims.get("email"))
    return Identity(
        uid=_uid(claims.get("sub")),
        email=email,
        email_verified=email is not None and claims.get("email_verified") is True,
        name=_text(claims.get("name")),
        issued_at=issued_at,
        expires_at=expires_at,
    )


def _uid(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_UID_CHARACTERS:
        raise Unauthenticated("The token names nobody")
    if UNFIT_FOR_TEXT.search(value):
        raise Unauthenticated("The token names nobody")
    return value


def _text(value: object) -> str | None:
    """A claim as text that a database takes, or None."""
    return UNFIT_FOR_TEXT.sub("", value).strip() or None if isinstance(value, str) else None
