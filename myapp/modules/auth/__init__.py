"""Sign-in: identity tokens become users."""

import time
from dataclasses import dataclass

from myapp.audit import record_change
from myapp.identity.authenticator import Authenticator
from myapp.identity.shared_cache import SharedCache
from myapp.module import Module
from myapp.modules.auth.usecases import SignIn
from myapp.rate_limits import RateLimits
from myapp.resources import Resources
from myapp.secrets import derive_key
from myapp.storage.base import Storage


@dataclass(frozen=True, kw_only=True)
class AuthModule(Module):
    authenticator: Authenticator
    rate_limits: RateLimits
    storage: Storage


def init(resources: Resources) -> AuthModule:
    """Builds what turns a token into a user."""
    sign_in = SignIn(accounts=resources.accounts, outbox=resources.outbox, audit=record_change)
    secret = derive_key(resources.secret, "token cache")
    shared = SharedCache(resources.redis, resources.bus, secret=secret, clock=time.time)
    authenticator = Authenticator(
        resources.identity,
        resources.accounts,
        shared,
        resolve=sign_in.resolve,
        secret=secret,
    )
    return AuthModule(
        authenticator=authenticator,
        rate_limits=resources.rate_limits,
        storage=resources.storage,
    )
