"""/metrics, and what is measured."""

import asyncio
from typing import Any, cast

import pytest
from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from myapp.app import create_app
from myapp.database.api_key import Scope
from myapp.database.connection import transaction
from myapp.database.user import User
from myapp.enums import Environment
from myapp.health import Health
from myapp.metrics import read_pool, render
from myapp.registry import Features
from myapp.resources import Resources
from myapp.roles.health import HealthApp
from tests.conftest import SignIn
from tests.support.people import enter, enter_admin, issue_key

ELSEWHERE = {"X-Forwarded-For": "127.0.0.1"}  # a proxy stands between, whatever it says


async def samples(client: AsyncClient) -> dict[tuple[str, str, str], float]:
    """The counts of requests by method, route and status."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == "http_requests_total"
    }


class TestHttp:
    async def test_requests_are_counted_by_template_and_never_by_id(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        eve = await enter(client, sign_in, "eve@example.com")
        for _ in range(3):
            await client.get(f"/users/{eve.id}", headers=eve.headers)
        await client.get(f"/users/{eve.id}")
        counted = await samples(client)
        assert counted["GET", "/users/<uuid:user_id>", "200"] == 3
        assert counted["GET", "/users/<uuid:user_id>", "401"] == 1
        assert str(eve.id) not in (await client.get("/metrics")).text

    async def test_unknown_paths_and_methods_are_one_series(self, client: AsyncClient) -> None:
        for number in range(5):
            await client.get(f"/nothing/{number}")
        await client.request("BREW", "/nothing")
        await client.delete("/health")
        counted = await samples(client)
        assert counted["GET", "unmatched", "404"] == 5
        assert counted["other", "unmatched", "404"] == 1
        assert counted["DELETE", "unmatched", "405"] == 1

    async def test_nothing_stays_in_flight(self, client: AsyncClient) -> None:
        await client.get("/nothing")
        text = (await client.get("/metrics")).text
        assert "http_requests_in_flight 1.0" in text  # the one that asks
        assert 'http_request_duration_seconds_bucket{le="+Inf"' in text


class TestProcess:
    async def test_process_interpreter_and_pool_are_measured(self, client: AsyncClient) -> None:
        text = (await client.get("/metrics")).text
        for name in (
            "process_resident_memory_bytes",
            "python_info",
            "python_gc_collections_total",
            "database_pool_size",
            "database_pool_in_use",
            "database_pool_limit",
        ):
            assert f"\n{name}" in text

    async def test_the_pool_tells_what_is_in_use(self, resources: Resources) -> None:
        await User.all().count()
        idle = read_pool(resources.database)
        assert (idle.size, idle.in_use) == (1, 0)
        holding, done = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with transaction():
                await User.all().count()
                holding.set()
                await done.wait()

        task = asyncio.create_task(hold())
        await holding.wait()
        assert read_pool(resources.database).in_use == 1
        done.set()
        await task


class TestAccess:
    async def test_is_open_to_the_machine_itself_in_development(self, client: AsyncClient) -> None:
        answer = await client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")

    @pytest.mark.parametrize(
        "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"]
    )
    async def test_is_closed_to_who_comes_through_a_proxy_at_this_machine(
        self, client: AsyncClient, header: str
    ) -> None:
        answer = await client.get("/metrics", headers={header: "127.0.0.1"})
        assert answer.status_code == 401

    async def test_is_open_to_administrators_and_keys_with_the_scope(
        self, client: AsyncClient, sign_in: SignIn, features: Features
    ) -> None:
        root = await enter_admin(client, sign_in)
        eve = await enter(client, sign_in, "eve@example.com")
        asking = {
            200: [root.headers, await issue_key(features, Scope.METRICS_READ)],
            403: [eve.headers, await issue_key(features, Scope.ACCOUNTS_READ)],
        }
        for status, callers in asking.items():
            for headers in callers:
                answer = await client.get("/metrics", headers={**headers, **ELSEWHERE})
                assert answer.status_code == status

    async def test_bad_credentials_are_refused_at_the_machine_itself_too(
        self, client: AsyncClient
    ) -> None:
        assert (await client.get("/metrics", headers={"X-API-Key": "x"})).status_code == 401

    @pytest.mark.parametrize("address", ["10.0.0.1", "", "::ffff:10.0.0.1", "not an address"])
    async def test_is_closed_to_other_machines(
        self, resources: Resources, features: Features, address: str
    ) -> None:
        app = create_app(resources.settings, features, Health({}, stop=asyncio.Event()))
        transport = ASGITransport(cast("Any", app), client=(address, 1))
        async with AsyncClient(transport=transport, base_url="http://myapp") as client:
            assert (await client.get("/metrics")).status_code == 401


class TestProduction:
    @pytest.fixture
    def changes(self) -> dict[str, Any]:
        return {"app_env": Environment.PRODUCTION}

    async def test_is_closed_to_the_machine_itself(self, client: AsyncClient) -> None:
        assert (await client.get("/metrics")).status_code == 401


async def test_the_health_port_has_them_without_credentials(resources: Resources) -> None:
    app = HealthApp(Health({}, stop=asyncio.Event()), resources.metrics)
    transport = ASGITransport(cast("Any", app), client=("10.0.0.1", 1))
    async with AsyncClient(transport=transport, base_url="http://health") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "process_cpu_seconds_total" in answer.text


def test_a_registry_is_rendered_as_text() -> None:
    assert render(CollectorRegistry()) == b""
