"""Which service calls, by HTTP or gRPC, and what its key may do."""

from cachetools import TTLCache

from myapp.database.api_key import Scope
from myapp.errors import Forbidden
from myapp.identity.api_keys import ApiKeyPrincipal, KeyRing
from myapp.rate_limits import Limit, RateLimits, subject_of

HEADER = "X-API-Key"
SAME_KEY_SECONDS = 60.0  # in which one bad key counts once for an address
MAX_COUNTED = 10_000


class KeySignIn:
    """Keys of callers at addresses that have not failed too often."""

    def __init__(self, keys: KeyRing, counts: RateLimits) -> None:
        self._keys = keys
        self._counts = counts
        # A service that goes on with a dead key guesses nothing, and others may share its address.
        self._counted: TTLCache[tuple[str, int], None] = TTLCache(MAX_COUNTED, SAME_KEY_SECONDS)

    async def sign_in(self, key: str, *, address: str | None) -> ApiKeyPrincipal:
        """The service whose key this is.

        Raises what KeyRing.authenticate does, and RateLimited for a key that is not known.
        """

        async def check_failures() -> None:
            await self._counts.check(Limit.FAILED_SIGN_IN, subject_of(address))

        def count_failure() -> None:
            failure = (subject_of(address), hash(key))
            if failure not in self._counted:
                self._counted[failure] = None
                self._counts.note(Limit.FAILED_SIGN_IN, failure[0])

        return await self._keys.authenticate(
            key, before_learning=check_failures, on_failure=count_failure
        )

    async def confirm(self, key: str) -> ApiKeyPrincipal:
        """The same for a caller who has signed in with this key: their address is not asked."""
        return await self._keys.authenticate(key)


def require_scope(caller: ApiKeyPrincipal, scope: Scope) -> None:
    """Raises Forbidden for a key that lacks the scope."""
    if scope not in caller.scopes:
        raise Forbidden(f"This takes a key with the scope {scope}")
