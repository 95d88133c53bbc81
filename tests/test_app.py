"""What holds for every answer of the HTTP application."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn, cast
from uuid import UUID

import pytest
from httpx import ASGITransport, AsyncClient
from openapi_spec_validator import validate
from quart import Quart, url_for
from quart_schema import hide
from structlog.testing import capture_logs

from myapp.app import create_app
from myapp.application import Application
from myapp.config import Settings
from myapp.errors import Conflict, FieldError, RateLimited, Unavailable
from myapp.health import Health
from myapp.registry import Features
from myapp.resources import Resources, open_resources
from tests.conftest import SignIn
from tests.support.databases import empty_tables
from tests.support.valkey import Valkey

ORIGIN = "https://app.example.com"
SOMETHING = UUID("0198aaaa-0000-7000-8000-000000000000")


@pytest.fixture
def changes() -> dict[str, Any]:
    return {"cors_allowed_origins": (ORIGIN,)}


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def app(settings: Settings, features: Features, resources: Resources, stop: asyncio.Event) -> Quart:
    """The application with routes that fail, each in its own way."""
    app = create_app(settings, features, Health(resources.checks(), stop=stop))
    errors = {
        "conflict": Conflict("Taken", details=[FieldError("name", "is taken")]),
        "limited": RateLimited(retry_after=2.1),
        "outage": Unavailable(),
        "defect": RuntimeError("SELECT secret FROM /etc/passwd"),
    }

    @hide
    async def fail(kind: str) -> NoReturn:
        raise errors[kind]

    app.get("/fail/<kind>")(fail)
    return app


@pytest.fixture
async def client(app: Quart) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(
        transport=ASGITransport(cast("Any", app)), base_url="http://myapp"
    ) as client:
        yield client


class TestFailure:
    async def test_has_one_shape(self, client: AsyncClient) -> None:
        answer = await client.get("/fail/conflict", headers={"X-Request-ID": "abc"})
        assert answer.status_code == 409
        assert answer.json() == {
            "success": False,
            "error": "Taken",
            "code": "conflict",
            "details": [{"field": "name", "message": "is taken"}],
            "request_id": "abc",
        }

    @pytest.mark.parametrize(("kind", "status"), [("limited", 429), ("outage", 503)])
    async def test_that_passes_says_when_to_come_back(
        self, client: AsyncClient, kind: str, status: int
    ) -> None:
        answer = await client.get(f"/fail/{kind}")
        assert answer.status_code == status
        assert int(answer.headers["Retry-After"]) >= 1

    async def test_that_nobody_foresaw_is_logged_and_not_shown(self, client: AsyncClient) -> None:
        with capture_logs() as logs:
            answer = await client.get("/fail/defect")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert "SELECT" not in answer.text
        assert any("SELECT" in repr(entry.get("exc_info")) for entry in logs)

    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/nowhere", 404, "not_found"),
            ("GET", "/auth//me", 404, "not_found"),
            ("GET", "/health/", 404, "not_found"),
            ("POST", "/health", 405, "method_not_allowed"),
            ("BREW", "/health", 405, "method_not_allowed"),
        ],
    )
    async def test_of_the_framework_has_the_same_shape(
        self, client: AsyncClient, method: str, path: str, status: int, code: str
    ) -> None:
        answer = await client.request(method, f"http://myapp{path}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert ("Allow" in answer.headers) == (status == 405)

    async def test_of_a_body_that_is_too_large_comes_before_it_is_read(
        self, client: AsyncClient
    ) -> None:
        headers = {"Content-Type": "application/json"}
        body = b'{"token": "' + b"x" * 1024 * 1024 + b'"}'
        answer = await client.post("/auth/verify", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


class TestRoute:
    @pytest.mark.parametrize("host", ["", "a..b", "x" * 70, "a.b.c:80", "[::1]:8000"])
    async def test_is_found_whatever_the_host_is_called(
        self, client: AsyncClient, host: str
    ) -> None:
        answer = await client.get("/health", headers={"Host": host})
        assert answer.status_code == 200


class TestRequestId:
    @pytest.mark.parametrize("given", ["a", "A-z.0_9", "x" * 128])
    async def test_is_the_callers_when_it_is_sane(self, client: AsyncClient, given: str) -> None:
        answer = await client.get("/health", headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given

    @pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", "a,b"])
    async def test_is_a_new_one_otherwise(self, client: AsyncClient, given: str) -> None:
        answers = [await client.get("/health", headers={"X-Request-ID": given}) for _ in range(2)]
        ids = {answer.headers["X-Request-ID"] for answer in answers}
        assert len(ids) == 2
        assert given not in ids

    async def test_stands_in_the_log_line(self, client: AsyncClient) -> None:
        with capture_logs() as logs:
            await client.get("/nowhere?token=secret", headers={"X-Request-ID": "abc"})
        line = next(entry for entry in logs if entry["event"] == "request")
        assert (line["path"], line["status"]) == ("/nowhere", 404)
        assert "secret" not in repr(logs)


class TestHeaders:
    @pytest.mark.parametrize("path", ["/health", "/nowhere", "/fail/defect"])
    async def test_tell_a_browser_to_be_careful(self, client: AsyncClient, path: str) -> None:
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Server" not in headers


def listed(header: str) -> set[str]:
    """The names in a header that lists some, in lower case."""
    return {name.strip().lower() for name in header.split(",")}


class TestCors:
    async def test_lets_a_configured_origin_in(self, client: AsyncClient) -> None:
        answer = await client.get("/health", headers={"Origin": ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN

    async def test_answers_its_preflight_without_credentials(self, client: AsyncClient) -> None:
        headers = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        answer = await client.options("/auth/me", headers=headers)
        assert answer.status_code == 200
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
        assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()

    @pytest.mark.parametrize("name", ["Range", "If-Range", "If-None-Match", "If-Modified-Since"])
    async def test_lets_a_page_ask_for_a_part_or_for_what_is_new(
        self, client: AsyncClient, name: str
    ) -> None:
        headers = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": name.lower(),
        }
        answer = await client.options("/files", headers=headers)
        assert name.lower() in listed(answer.headers["Access-Control-Allow-Headers"])

    async def test_lets_a_page_read_which_part_of_what_it_got(self, client: AsyncClient) -> None:
        headers = {"Origin": ORIGIN, "Range": "bytes=0-1"}
        answer = await client.get("/docs/swagger-ui.css", headers=headers)
        assert answer.status_code == 206
        shown = {"etag", "content-range", "accept-ranges"}
        assert shown <= answer.headers.keys()
        assert shown <= listed(answer.headers["Access-Control-Expose-Headers"])

    async def test_lets_a_page_read_why_it_failed(self, client: AsyncClient) -> None:
        answer = await client.get("/auth/me", headers={"Origin": ORIGIN})
        assert answer.status_code == 401
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN

    async def test_lets_no_other_origin_in(self, client: AsyncClient) -> None:
        answer = await client.get("/health", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers


class TestReady:
    async def test_is_200_when_every_part_answers(self, client: AsyncClient) -> None:
        answer = await client.get("/ready")
        assert answer.status_code == 200
        assert answer.json() == {
            "status": "ready",
            "checks": {"database": "ok", "redis": "ok", "migrations": "ok"},
        }

    async def test_is_503_as_soon_as_a_shutdown_begins(
        self, client: AsyncClient, stop: asyncio.Event
    ) -> None:
        stop.set()
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
        assert answer.json()["checks"] == {
            "database": "ok",
            "redis": "ok",
            "migrations": "ok",
            "process": "stopping",
        }
        assert (await client.get("/health")).json() == {"status": "ok"}


class TestReadyWithoutRedis:
    @pytest.fixture
    def redis_url(self) -> str:
        return "unix:///nowhere/s"

    @pytest.fixture
    async def resources(self, settings: Settings) -> AsyncIterator[Resources]:
        async with open_resources(settings) as opened:
            await empty_tables()
            yield opened

    async def test_is_503_and_says_what_is_missing(self, client: AsyncClient) -> None:
        answer = await client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"] == {
            "database": "ok",
            "redis": "unavailable",
            "migrations": "ok",
        }

    async def test_everything_else_goes_on(self, client: AsyncClient, sign_in: SignIn) -> None:
        headers = sign_in()
        assert (await client.get("/auth/me", headers=headers)).status_code == 200
        answer = await client.put("/auth/me", headers=headers, json={"name": "Ada"})
        assert answer.status_code == 200
        assert (await client.get("/auth/me", headers=headers)).json()["data"]["name"] == "Ada"


class TestReadyOverAFullRedis:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_is_503_although_it_answers(
        self, client: AsyncClient, resources: Resources
    ) -> None:
        assert (await client.get("/ready")).status_code == 200
        await resources.redis.config_set("maxmemory", 1)
        answer = await client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["redis"] == "unavailable"
        await resources.redis.config_set("maxmemory", 0)
        assert (await client.get("/ready")).status_code == 200


class TestOpenApi:
    async def test_is_a_valid_document_of_version_3_1(self, client: AsyncClient) -> None:
        document = (await client.get("/openapi.json")).json()
        validate(document)
        assert document["openapi"].startswith("3.1")

    async def test_every_operation_says_what_it_is_and_how_it_ends(
        self, client: AsyncClient
    ) -> None:
        document = (await client.get("/openapi.json")).json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                assert operation["summary"], (method, path)
                assert operation["tags"], (method, path)
                assert any(status[0] == "2" for status in operation["responses"]), (method, path)

    async def test_has_a_page_with_no_asset_from_another_host(self, client: AsyncClient) -> None:
        page = await client.get("/docs")
        assert page.status_code == 200
        assert "http" not in page.text.replace("http-equiv", "")
        for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
            assert (await client.get(f"/docs/{asset}")).status_code == 200

    async def test_has_no_way_out_of_its_folder(self, client: AsyncClient) -> None:
        assert (await client.get("/docs/..%2f__init__.py")).status_code == 404


async def test_a_url_is_built_from_its_route() -> None:
    """For whoever needs one: no route of ours does."""
    app = Application("test")

    @app.get("/things/<uuid:thing>/of/<name>")
    async def show(thing: UUID, name: str) -> str:
        return url_for("show", thing=thing, name=f"{name} and more", page=2)

    answer = await app.test_client().get(f"/things/{SOMETHING}/of/ada")
    assert await answer.get_data(as_text=True) == f"/things/{SOMETHING}/of/ada%20and%20more?page=2"
