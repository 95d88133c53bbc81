"""The application with a route for each policy."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from httpx import ASGITransport, AsyncClient
from quart import g
from quart_schema import hide

from myapp.app import create_app
from myapp.database.api_key import Scope
from myapp.health import Health
from myapp.middleware.auth import Auth, actor
from myapp.modules.api_key import ApiKeyModule
from myapp.modules.auth import AuthModule
from myapp.registry import Features
from myapp.resources import Resources


async def tell() -> dict[str, Any]:
    """Who asks, as the audit log would know them."""
    if g.principal is None:
        return {}
    known = actor()
    return {"type": known.type, "id": known.id, "address": known.address}


@pytest.fixture
async def client(resources: Resources, features: Features) -> AsyncIterator[AsyncClient]:
    """A client of the application, which has `/as/<policy>` too."""
    app = create_app(resources.settings, features, Health(resources.checks(), stop=asyncio.Event()))
    sign_in = features.get(AuthModule)
    auth = Auth(sign_in.authenticator, features.get(ApiKeyModule).keys, sign_in.rate_limits)
    policies = {
        "user": auth.required,
        "admin": auth.admin,
        "key": auth.admin_or_key(Scope.EVENTS_PUBLISH),
        "anybody": auth.optional,
    }
    for name, policy in policies.items():
        app.get(f"/as/{name}", endpoint=name)(hide(policy(tell)))
    async with AsyncClient(
        transport=ASGITransport(cast("Any", app)), base_url="http://myapp"
    ) as client:
        yield client
