"""Who asks too often."""

import asyncio
from typing import Any, cast

import pytest
from httpx import ASGITransport, AsyncClient

from myapp.app import create_app
from myapp.config import Rate
from myapp.database.api_key import Scope
from myapp.health import Health
from myapp.identity.key_format import make_key, new_public_id
from myapp.registry import Features
from myapp.resources import Resources
from tests.conftest import Headers, SignIn
from tests.support.people import issue_key

RATES = {"rate_limit_failed_sign_in": Rate(3, 3600)}


@pytest.fixture
def rates() -> dict[str, Rate]:
    return {}


@pytest.fixture
def changes(rates: dict[str, Rate]) -> dict[str, Any]:
    return RATES | rates


class From:
    """Clients at addresses of their own."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, address: str) -> AsyncClient:
        transport = ASGITransport(self._app, client=(address, 1))
        return AsyncClient(transport=transport, base_url="http://myapp")


@pytest.fixture
async def at(resources: Resources, features: Features) -> From:
    health = Health(resources.checks(), stop=asyncio.Event())
    return From(cast("Any", create_app(resources.settings, features, health)))


def bad_token(sign_in: SignIn) -> Headers:
    return {"Authorization": sign_in()["Authorization"][:-4] + "AAAA"}


def made_up_key() -> Headers:
    return {"X-API-Key": make_key(new_public_id())}


async def verify(client: AsyncClient, headers: Headers) -> int:
    token = headers["Authorization"].removeprefix("Bearer ")
    return (await client.post("/auth/verify", json={"token": token})).status_code


class TestFailedSignIn:
    async def test_is_slowed_for_that_address_alone(self, at: From, sign_in: SignIn) -> None:
        evil, good = at("192.0.2.1"), at("192.0.2.2")
        known, unknown = sign_in("ada@example.com"), sign_in("bob@example.com")
        assert await verify(evil, known) == 200
        statuses = [await verify(evil, bad_token(sign_in)) for _ in range(10)]
        assert statuses == [401] * 3 + [429] * 7
        answer = await evil.get("/auth/me", headers=unknown)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await evil.get("/auth/me", headers=known)).status_code == 200
        assert await verify(good, unknown) == 200
        assert await verify(evil, unknown) == 200  # it is known by now

    async def test_counts_failures_by_every_door(self, at: From, sign_in: SignIn) -> None:
        client = at("192.0.2.1")
        for number in range(5):
            assert await verify(client, sign_in(f"{number}@example.com")) == 200
        assert (await client.get("/auth/me")).status_code == 401  # nobody tried anything
        for _ in range(2):
            await client.get("/auth/me", headers=bad_token(sign_in))
        assert await verify(client, {"Authorization": "Bearer \xe9"}) == 401
        assert await verify(client, bad_token(sign_in)) == 429

    async def test_by_keys_refuses_those_that_are_not_known(
        self, at: From, features: Features
    ) -> None:
        evil, good = at("192.0.2.1"), at("192.0.2.2")
        known = await issue_key(features, Scope.METRICS_READ)
        unknown = await issue_key(features, Scope.METRICS_READ)
        assert (await evil.get("/metrics", headers=known)).status_code == 200
        statuses = [
            (await evil.get("/metrics", headers=made_up_key())).status_code for _ in range(10)
        ]
        assert statuses == [401] * 3 + [429] * 7
        for refused in (unknown, {"X-API-Key": "malformed"}):
            answer = await evil.get("/metrics", headers=refused)
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
            assert int(answer.headers["Retry-After"]) >= 1
        assert (await evil.get("/metrics", headers=known)).status_code == 200
        assert (await good.get("/metrics", headers=unknown)).status_code == 200
        assert (await evil.get("/metrics", headers=unknown)).status_code == 200  # known by now

    async def test_a_key_that_is_dead_counts_once_however_often_it_comes(
        self, at: From, features: Features
    ) -> None:
        client, dead = at("192.0.2.1"), made_up_key()
        for _ in range(10):
            assert (await client.get("/metrics", headers=dead)).status_code == 401
        unknown = await issue_key(features, Scope.METRICS_READ)
        assert (await client.get("/metrics", headers=unknown)).status_code == 200

    async def test_counts_tokens_and_keys_together(
        self, at: From, sign_in: SignIn, features: Features
    ) -> None:
        client = at("192.0.2.1")
        assert (await client.get("/metrics")).status_code == 401  # nobody tried anything
        assert (await client.get("/metrics", headers=made_up_key())).status_code == 401
        assert (await client.get("/metrics", headers={"X-API-Key": "malformed"})).status_code == 401
        assert await verify(client, bad_token(sign_in)) == 401
        assert await verify(client, bad_token(sign_in)) == 429
        assert (await client.get("/metrics", headers=made_up_key())).status_code == 429


class TestOthers:
    @pytest.fixture
    def rates(self) -> dict[str, Rate]:
        return {
            f"rate_limit_{name}": Rate(3, 3600) for name in ("anonymous", "user", "key", "tickets")
        }

    async def test_strangers_are_counted_by_address(self, at: From) -> None:
        paths = ("/nowhere", "/openapi.json", "/auth/me", "/users/x")
        statuses = [(await at("192.0.2.1").get(path)).status_code for path in paths]
        assert statuses == [404, 200, 401, 429]
        assert (await at("192.0.2.2").get("/openapi.json")).status_code == 200
        for _ in range(5):
            assert (await at("192.0.2.1").get("/health")).status_code == 200

    async def test_bad_credentials_make_nobody_known(self, at: From, features: Features) -> None:
        key = await issue_key(features, Scope.METRICS_READ)
        key["X-API-Key"] = key["X-API-Key"][:-1] + "!"
        client = at("192.0.2.1")
        statuses = [(await client.get("/admin/users", headers=key)).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        assert (await client.get("/nowhere", headers=key)).status_code == 429

    async def test_users_and_keys_are_counted_wherever_they_are(
        self, at: From, sign_in: SignIn, features: Features
    ) -> None:
        ada, bob = sign_in("ada@example.com"), sign_in("bob@example.com")
        for number in range(3):
            client = at(f"192.0.2.{number}")
            assert (await client.get("/auth/me", headers=ada)).status_code == 200
        assert (await client.get("/auth/me", headers=ada)).status_code == 429
        assert (await client.get("/auth/me", headers=bob)).status_code == 200
        key = await issue_key(features, Scope.METRICS_READ)
        statuses = [(await client.get("/metrics", headers=key)).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]

    async def test_tickets_have_a_limit_of_their_own(self, at: From, sign_in: SignIn) -> None:
        client, ada = at("192.0.2.1"), sign_in("ada@example.com")
        statuses = [
            (await client.post("/events/ticket", headers=ada)).status_code for _ in range(4)
        ]
        assert statuses[-1] == 429
        assert set(statuses[:-1]) <= {200, 201}
        assert (await client.get("/auth/me", headers=ada)).status_code == 200
