"""Which service calls, by HTTP or gRPC, and what its key may do."""

from myapp.database.api_key import Scope
from myapp.errors import Forbidden, Unauthenticated
from myapp.identity.api_keys import ApiKeyPrincipal, KeyRing
from myapp.rate_limits import Limit, RateLimits, subject_of

HEADER = "X-API-Key"


class KeySignIn:
    """Keys of callers at addresses that have not failed too often."""

    def __init__(self, keys: KeyRing, counts: RateLimits) -> None:
        self._keys = keys
        self._counts = counts

    async def sign_in(self, key: str, *, address: str | None) -> ApiKeyPrincipal:
        """The service whose key this is.

        Raises what KeyRing.authenticate does, and RateLimited for a key that is not known.
        """

        async def check_failures() -> None:
            await self._counts.check(Limit.FAILED_SIGN_IN, subject_of(address))

        try:
            return await self._keys.authenticate(key, before_learning=check_failures)
        except Unauthenticated:
            self._counts.note(Limit.FAILED_SIGN_IN, subject_of(address))
            raise

    async def confirm(self, key: str) -> ApiKeyPrincipal:
        """The same for a caller who has signed in with this key: their address is not asked."""
        return await self._keys.authenticate(key)


def require_scope(caller: ApiKeyPrincipal, scope: Scope) -> None:
    """Raises Forbidden for a key that lacks the scope."""
    if scope not in caller.scopes:
        raise Forbidden(f"This takes a key with the scope {scope}")
