"""The identity provider for development: it vouches for whatever email it is asked to."""

import hashlib
import time
from collections.abc import Callable, Collection

import jwt

from myapp.errors import Invalid, Unauthenticated
from myapp.identity.base import Identity, SignIn, identity_from

ALGORITHM = "HS256"
ISSUER = "myapp-local"
AUDIENCE = "myapp"
DEFAULT_LIFETIME_SECONDS = 3600.0


class LocalProvider:
    """Issues and verifies tokens that one secret signs, in process."""

    def __init__(self, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        """`secret` has at least 32 bytes, and is the same wherever tokens are to be accepted."""
        self._secret = secret
        self._clock = clock

    def issue(
        self,
        email: str,
        *,
        expires_in: float = DEFAULT_LIFETIME_SECONDS,
        email_verified: bool = True,
        name: str | None = None,
    ) -> str:
        """A token for the person with this email, good for `expires_in` seconds.

        The same email, in whatever case, is always the same person. Raises Invalid for what
        cannot be an email.
        """
        email = email.strip()
        local_part, _, domain = email.rpartition("@")
        if not local_part or not domain or not email.isprintable():
            raise Invalid(f"{email!r} is no email address")
        now = self._clock()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": uid_of(email),
            "email": email,
            "email_verified": email_verified,
            "name": name,
            "iat": now,
            "exp": now + expires_in,
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    async def verify(self, token: str) -> Identity:
        """See IdentityProvider. It is never Unavailable."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # The times are checked by identity_from, by our clock.
                options={"verify_exp": False, "verify_iat": False, "require": ["sub"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            # Deeply nested JSON is a RecursionError, text that is not ASCII a ValueError.
            raise Unauthenticated("The token is not genuine") from None
        return identity_from(claims, now=self._clock())

    async def find_ended(self, sign_ins: Collection[SignIn]) -> frozenset[SignIn]:  # noqa: ARG002  # its shape
        """None: nobody can take a token back."""
        return frozenset()

    async def close(self) -> None:
        """There is nothing to give back."""


def uid_of(email: str) -> str:
    """The local provider's id for whoever owns this email: short whatever the email's length."""
    return "local:" + hashlib.sha256(email.lower().encode()).hexdigest()[:32]
