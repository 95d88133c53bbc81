"""Who asks: credentials become a principal in `g`, for the routes that want one."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

from quart import g
from quart_schema import security_scheme

from myapp.audit import Actor
from myapp.connection import Request, current_request
from myapp.database.api_key import Scope
from myapp.database.audit import ActorType
from myapp.errors import Forbidden, Invalid, Unauthenticated
from myapp.identity.api_keys import ApiKeyPrincipal, KeyRing
from myapp.identity.authenticator import Authenticator, Principal
from myapp.middleware.admin_auth import require_admin
from myapp.middleware.api_key import HEADER, KeySignIn, require_scope
from myapp.middleware.rate_limit import GUARDED, OWN_LIMIT, RequestLimits
from myapp.rate_limits import Limit, RateLimits

Handler = Callable[..., Awaitable[Any]]
Caller = Principal | ApiKeyPrincipal
Check = Callable[[Caller], None]
Schemes = tuple[dict[str, list[str]], ...]

AUTHORIZATION = b"authorization"
KEY_HEADER = HEADER.lower().encode()
BEARER = "bearer"
API_KEY = "api_key"
USER_SCHEMES: Schemes = ({BEARER: []},)
ANY_SCHEME: Schemes = ({BEARER: []}, {API_KEY: []})


class Auth:
    """Decorators for routes, by who may pass.

    Whatever the route, credentials that are not good are a 401, and good ones of somebody who may
    not pass a 403.
    """

    def __init__(self, users: Authenticator, keys: KeyRing, counts: RateLimits) -> None:
        self._keys = KeySignIn(keys, counts)
        self.limits = RequestLimits(counts, users)

    def required(self, handler: Handler) -> Handler:
        """Users with a valid identity token."""
        return self._guard(handler, require_user, USER_SCHEMES)

    def optional(self, handler: Handler) -> Handler:
        """Everybody; but credentials that are given have to be a user's, and good."""

        @security_scheme([{}, *USER_SCHEMES])
        @wraps(handler)
        async def wrapper(**path: Any) -> Any:
            g.principal = None
            if credentials_given():
                await self._let_in(require_user)
            return await handler(**path)

        wrapper.__dict__[GUARDED] = True
        return wrapper

    def admin(self, handler: Handler) -> Handler:
        """Administrators."""
        return self._guard(handler, require_admin, USER_SCHEMES)

    def admin_or_key(self, scope: Scope) -> Callable[[Handler], Handler]:
        """Services with a key of this scope, and administrators."""

        def check(caller: Caller) -> None:
            if isinstance(caller, ApiKeyPrincipal):
                require_scope(caller, scope)
            else:
                require_admin(caller)

        return lambda handler: self._guard(handler, check, ANY_SCHEME)

    def _guard(self, handler: Handler, check: Check, schemes: Schemes) -> Handler:
        own_limit = getattr(handler, OWN_LIMIT, None)

        @security_scheme(list(schemes))
        @wraps(handler)
        async def wrapper(**path: Any) -> Any:
            await self._let_in(check, own_limit)
            return await handler(**path)

        wrapper.__dict__[GUARDED] = True
        return wrapper

    async def _let_in(self, check: Check, own_limit: Limit | None = None) -> None:
        try:
            found = await self._find_caller()
        except Unauthenticated:
            if credentials_given():
                self.limits.admit_stranger()
            raise
        await self.limits.admit(found, own_limit)
        check(found)
        g.principal = found

    async def _find_caller(self) -> Caller:
        asked = current_request()
        key = asked.raw_header(KEY_HEADER)
        if key is None:
            return await self.limits.sign_in(bearer_token(asked))
        if asked.raw_header(AUTHORIZATION) is not None:
            raise Invalid("Send either a token or an API key, not both")
        return await self._keys.sign_in(key, address=asked.remote_addr)


def require_user(caller: Caller) -> None:
    """Raises Forbidden for a service: this is a person's own."""
    if not isinstance(caller, Principal):
        raise Forbidden("This takes a user's token")


def caller() -> Caller:
    """Who asks, in a route that any of the decorators but `optional` guards."""
    return cast("Caller", g.principal)


def principal() -> Principal:
    """Who asks, in a route that `required` or `admin` guards."""
    return cast("Principal", g.principal)


def actor() -> Actor:
    """Who asks, as the audit log knows them, in a guarded route."""
    found, asked = caller(), current_request()
    if isinstance(found, ApiKeyPrincipal):
        kind, actor_id = ActorType.API_KEY, found.id
    else:
        kind, actor_id = ActorType.USER, found.user.id
    return Actor(kind, str(actor_id), asked.remote_addr, asked.id)


def credentials_given() -> bool:
    asked = current_request()
    return any(asked.raw_header(name) is not None for name in (AUTHORIZATION, KEY_HEADER))


def bearer_token(asked: Request) -> str:
    scheme, _, token = (asked.raw_header(AUTHORIZATION) or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send a token as Authorization: Bearer TOKEN")
    return token.strip()
