"""Files on both kinds of storage, and what is left in it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from httpx import AsyncClient

from myapp.database.file import StrayObject
from myapp.modules.file import FileModule
from myapp.registry import Features
from tests.conftest import SignIn
from tests.support.buckets import Place, scratch_place
from tests.support.people import Person, enter
from tests.support.seaweed import Seaweed

Leftovers = Callable[[], Awaitable[list[str]]]


@pytest.fixture
async def place(seaweed: Seaweed) -> AsyncIterator[Place]:
    async with scratch_place(seaweed) as found:
        yield found


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.xdist_group("seaweed"))])
def kind(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


@pytest.fixture
def changes(request: pytest.FixtureRequest, kind: str) -> dict[str, Any]:
    return request.getfixturevalue("place").settings if kind == "s3" else {}


@pytest.fixture
def stored(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Leftovers:
    """All that storage holds, uploads under way among it."""

    async def on_disk() -> list[str]:
        return [path.name for path in (tmp_path / "files").rglob("*") if path.is_file()]

    async def in_bucket() -> list[str]:
        place: Place = request.getfixturevalue("place")
        return [*await place.names(), *await place.uploads()]

    return in_bucket if kind == "s3" else on_disk


@pytest.fixture
def clean_up(features: Features) -> Callable[[], Awaitable[None]]:
    """The hourly clean-up, a day later."""

    async def run() -> None:
        await StrayObject.all().update(due_at=datetime.now(UTC))
        for cleanup in features.get(FileModule).cleanups.values():
            await cleanup()

    return run


@pytest.fixture
async def ada(client: AsyncClient, sign_in: SignIn) -> Person:
    return await enter(client, sign_in, "ada@example.com")
