"""What is remembered of a token that was found genuine, and for how long."""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from myapp.identity.base import SignIn

TRUST_SECONDS = 300.0  # then the provider is asked again: the token may have been revoked


@dataclass(frozen=True, slots=True)
class Verification:
    """A token's owner, as the provider said at a time. Times are in unix seconds."""

    user_id: UUID
    sign_in: SignIn
    verified_at: float
    expires_at: float

    @property
    def trusted_until(self) -> float:
        """Counted from the verification itself, wherever the record of it has been since."""
        return min(self.verified_at + TRUST_SECONDS, self.expires_at)


def digest_key(secret: bytes) -> bytes:
    """The key for digests of tokens, so that who reads a cache cannot test tokens against it."""
    return hmac.digest(secret, b"myapp token digest", hashlib.sha256)
