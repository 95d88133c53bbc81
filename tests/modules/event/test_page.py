"""The page for development."""

import re
from asyncio import Event
from dataclasses import replace

from httpx import ASGITransport, AsyncClient

from myapp.app import create_app
from myapp.enums import Environment
from myapp.health import Health
from myapp.modules.event.page import read_page
from myapp.registry import build
from myapp.resources import Resources


async def test_it_is_there_in_development(client: AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_it_is_not_found_in_production(resources: Resources) -> None:
    settings = resources.settings.model_copy(update={"app_env": Environment.PRODUCTION})
    app = create_app(
        settings, build(replace(resources, settings=settings)), Health({}, stop=Event())
    )
    transport = ASGITransport(app)  # type: ignore[arg-type]  # Quart's types are narrower
    async with AsyncClient(transport=transport, base_url="http://myapp") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_it_asks_no_other_host_for_anything() -> None:
    html, policy = read_page()
    links = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')\s>]+)", html)
    assert links
    assert all(link.startswith(("/", "data:")) for link in links)
    assert "http" not in policy
    assert "unsafe" not in policy


async def test_it_is_in_no_document(client: AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert "/" not in paths
    assert set(paths) >= {"/events", "/events/ticket", "/admin/events"}
