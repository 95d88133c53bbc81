"""Our own services, put together; health and reflection come with the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from grpclib._typing import IServable

from myapp.grpc.account_feed import AccountFeed
from myapp.grpc.account_messages import to_account
from myapp.grpc.account_service import SCOPES, AccountService
from myapp.grpc.api_key import KeyGate
from myapp.grpc.page_tokens import PageTokens
from myapp.modules.auth import AuthModule
from myapp.modules.user import UserModule
from myapp.registry import Features
from myapp.resources import Resources


@dataclass(frozen=True, slots=True)
class Services:
    """The services, who may call them, and the feed that has to run beside."""

    all: Sequence[IServable]
    gate: KeyGate
    feed: AccountFeed


def build_services(resources: Resources, features: Features) -> Services:
    """Builds them over usecases that other doors have too. Nothing is opened."""
    accounts, storage = features.get(UserModule), resources.storage
    feed = AccountFeed(
        resources.accounts,
        resources.bus,
        load=accounts.directory.get_many,
        describe=partial(to_account, storage=storage),
    )
    service = AccountService(
        administration=accounts.administration,
        directory=accounts.directory,
        authenticator=features.get(AuthModule).authenticator,
        accounts=resources.accounts,
        storage=storage,
        feed=feed,
        page_tokens=PageTokens(resources.secret),
    )
    gate = KeyGate(resources.api_keys, resources.rate_limits, SCOPES)
    return Services([service], gate, feed)
