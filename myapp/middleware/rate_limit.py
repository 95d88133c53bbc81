"""Who asks too often: limits of requests by address, user and key, and of failed sign-ins."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from quart import Quart, request

from myapp.errors import RateLimited, Unauthenticated
from myapp.identity.api_keys import ApiKeyPrincipal
from myapp.identity.authenticator import Authenticator, Principal
from myapp.rate_limits import Limit, RateLimits, subject_of

Handler = Callable[..., Awaitable[Any]]

OWN_LIMIT = "_rate_limit"
GUARDED = "_guarded"
UNLIMITED_PATHS = frozenset({"/health", "/ready", "/metrics"})  # machines ask every few seconds


def limit_tickets(handler: Handler) -> Handler:
    """Inside a guard: the user's requests count for RATE_LIMIT_TICKETS and nothing else."""
    return with_own_limit(handler, Limit.TICKETS)


def limit_uploads(handler: Handler) -> Handler:
    """Inside a guard: the user's requests count for RATE_LIMIT_UPLOADS and nothing else."""
    return with_own_limit(handler, Limit.UPLOADS)


def with_own_limit(handler: Handler, limit: Limit) -> Handler:
    @wraps(handler)
    async def wrapper(**path: Any) -> Any:
        return await handler(**path)

    wrapper.__dict__[OWN_LIMIT] = limit
    return wrapper


class RequestLimits:
    """The limits of one process, as its requests meet them."""

    def __init__(self, counts: RateLimits, users: Authenticator) -> None:
        self._counts = counts
        self._users = users

    async def admit(self, caller: Principal | ApiKeyPrincipal, own: Limit | None) -> None:
        """Counts a request of a known caller. Raises RateLimited."""
        if isinstance(caller, ApiKeyPrincipal):
            self._counts.take_at_once(Limit.KEY, str(caller.id))
        elif own is None:
            self._counts.take_at_once(Limit.USER, str(caller.user.id))
        else:
            await self._counts.take(own, str(caller.user.id))

    def admit_stranger(self) -> None:
        """Counts a request of nobody known, by its address. Raises RateLimited."""
        self._counts.take_at_once(Limit.ANONYMOUS, subject_of(request.remote_addr))

    async def sign_in(self, token: str) -> Principal:
        """The principal whose token this is, for an address that has not failed too often.

        Raises what Authenticator.authenticate does, and RateLimited for a token that is not known.
        """
        try:
            return await self._users.authenticate(token, before_learning=self._check_failures)
        except Unauthenticated:
            self._counts.note(Limit.FAILED_SIGN_IN, subject_of(request.remote_addr))
            raise

    async def _check_failures(self, token: str) -> None:
        try:
            await self._counts.check(Limit.FAILED_SIGN_IN, subject_of(request.remote_addr))
        except RateLimited:
            if not await self._users.knows(token):
                raise

    def limit_strangers(self, app: Quart) -> None:
        """Counts the requests that no guard will: guards count those of the callers they know."""
        if not self._counts.is_on(Limit.ANONYMOUS):
            return

        @app.before_request
        async def count() -> None:
            view = app.view_functions.get(request.endpoint or "")
            known = getattr(view, GUARDED, False) and has_credentials()
            preflight = request.method == "OPTIONS"
            if not (known or preflight or request.path in UNLIMITED_PATHS):
                self.admit_stranger()


def has_credentials() -> bool:
    return "Authorization" in request.headers or "X-API-Key" in request.headers
