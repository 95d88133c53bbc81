"""Which service calls: its API key, from the metadata, and what that may do."""

from collections.abc import Mapping
from typing import Any

from myapp.database.api_key import Scope
from myapp.errors import Unauthenticated
from myapp.identity.api_keys import ApiKeyPrincipal, KeyRing
from myapp.middleware.api_key import KeySignIn, require_scope
from myapp.rate_limits import Limit, RateLimits

METADATA_KEY = "x-api-key"
OPEN_PREFIX = "/grpc."  # health and reflection, which anybody may ask


class KeyGate:
    """Lets in keys with the scope that a method takes. A method without an entry is a defect."""

    def __init__(self, keys: KeyRing, limits: RateLimits, scopes: Mapping[str, Scope]) -> None:
        self._keys = KeySignIn(keys, limits)
        self._limits = limits
        self._scopes = scopes

    async def admit(
        self, path: str, metadata: Mapping[str, Any], address: str | None
    ) -> ApiKeyPrincipal | None:
        """The key that calls, None where none is asked for.

        Raises Unauthenticated, Forbidden or RateLimited, and Unavailable while the database that
        knows the key is out of reach.
        """
        if path.startswith(OPEN_PREFIX):
            return None
        caller = await self._keys.sign_in(key_in(metadata), address=address)
        require_scope(caller, self._scopes[path])
        self._limits.take_at_once(Limit.KEY, str(caller.id))
        return caller

    async def admit_again(self, path: str, metadata: Mapping[str, Any]) -> None:
        """Raises what `admit` does, but RateLimited: a call that lasts is counted once."""
        caller = await self._keys.confirm(key_in(metadata))
        require_scope(caller, self._scopes[path])


def key_in(metadata: Mapping[str, Any]) -> str:
    key: str | None = metadata.get(METADATA_KEY)
    if key is None:
        raise Unauthenticated(f"Send an API key as {METADATA_KEY}")
    return key
