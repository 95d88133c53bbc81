"""Every kind of answer tells a browser to be careful, and nothing of what made it."""

from typing import Any, cast

import pytest
from httpx import ASGITransport, AsyncClient
from quart import Response

from myapp.application import Application
from myapp.middleware.headers import secure_headers
from tests.conftest import SignIn
from tests.modules.user.test_avatar import PNG
from tests.support.people import enter

PATHS = (
    "/health",
    "/ready",
    "/metrics",
    "/",
    "/docs",
    "/docs/start.js",
    "/openapi.json",
    "/nowhere",
    "/auth/me",
    "/storage/a?expires=1&signature=b",
    "/events",
)
TELLING = ("Server", "X-Powered-By", "Via")


@pytest.mark.parametrize("path", PATHS)
async def test_of_an_answer(client: AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert not [name for name in TELLING if name in headers]


async def test_of_what_a_user_has_sent_forbid_all_of_it_to_run(
    client: AsyncClient, sign_in: SignIn
) -> None:
    ada = await enter(client, sign_in, "ada@example.com")
    answer = await client.put("/auth/me/avatar", headers=ada.headers, content=PNG)
    picture = await client.get(answer.json()["data"]["avatar_url"])
    assert picture.status_code == 200
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in picture.headers["Content-Security-Policy"]
    assert "sandbox" in picture.headers["Content-Security-Policy"]


class TestStrictTransport:
    @pytest.fixture
    async def answers(self) -> list[str | None]:
        found: list[str | None] = []
        for strict in (True, False):
            app = Application("of its own")
            secure_headers(app, strict_transport=strict)

            @app.get("/")
            async def index() -> Response:
                return Response("")

            transport = ASGITransport(cast("Any", app))
            async with AsyncClient(transport=transport, base_url="http://myapp") as client:
                answer = await client.get("/")
            found.append(answer.headers.get("Strict-Transport-Security"))
        return found

    async def test_is_for_production_alone(self, answers: list[str | None]) -> None:
        assert answers == ["max-age=31536000", None]
