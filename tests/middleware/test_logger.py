"""How loud the line of a request is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from httpx import ASGITransport, AsyncClient
from quart import request
from structlog.testing import capture_logs

from myapp.application import Application
from myapp.connection import Request
from myapp.middleware.logger import log_requests

NEVER, ALWAYS = 60.0, 0.0


async def wait_of(path: str, *, slow_seconds: float, body: AsyncIterator[bytes]) -> tuple[str, str]:
    """The level of the request's line, and how long its body was waited for."""
    app = Application("test")
    log_requests(app, slow_seconds=slow_seconds)

    @app.post("/<name>")
    async def read(name: str) -> str:  # Quart hands it over
        await request.get_data()
        return str(cast("Request", request).body.waited)

    async with AsyncClient(
        transport=ASGITransport(cast("Any", app)), base_url="http://test"
    ) as client:
        with capture_logs() as logs:
            answer = await client.post(path, content=body)
    (line,) = (entry for entry in logs if entry["event"] == "request")
    return line["log_level"], answer.text


async def pieces(*, seconds: float = 0) -> AsyncIterator[bytes]:
    await asyncio.sleep(seconds)
    yield b"piece"


class TestLevel:
    @pytest.mark.parametrize(
        ("path", "slow_seconds", "level"),
        [
            ("/something", NEVER, "info"),
            ("/health", NEVER, "debug"),
            ("/something", ALWAYS, "warning"),
            ("/health", ALWAYS, "warning"),
        ],
    )
    async def test_a_slow_one_is_a_warning(
        self, path: str, slow_seconds: float, level: str
    ) -> None:
        found, _ = await wait_of(path, slow_seconds=slow_seconds, body=pieces())
        assert found == level

    async def test_what_the_client_takes_to_send_is_known(self) -> None:
        _, waited = await wait_of("/something", slow_seconds=NEVER, body=pieces(seconds=0.1))
        assert float(waited) >= 0.09
