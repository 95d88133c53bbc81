"""What the whole suite is tested with: real servers, each worker's own, empty for every test."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr
from redis.asyncio import Redis

from myapp.app import create_app
from myapp.config import Settings
from myapp.database.migrations import apply
from myapp.database.url import Dialect
from myapp.health import Health
from myapp.identity.local import LocalProvider
from myapp.registry import Features, build
from myapp.resources import Resources, open_resources
from myapp.runner import GARBAGE_THRESHOLDS
from tests.support.databases import (
    create_database,
    dialects,
    drop_database,
    empty_tables,
    settings_for,
)
from tests.support.loops import Loop
from tests.support.seaweed import Seaweed, running_seaweed
from tests.support.valkey import Valkey, running_valkey

Headers = dict[str, str]
SignIn = Callable[..., Headers]
LoopFactories = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_collection_finish() -> None:
    """What is imported by now stays: to search it for cycles took a fifth of the tests' time.

    The thresholds are the program's own.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def pytest_asyncio_loop_factories() -> LoopFactories:
    """The program's own event loop."""
    return {"uvloop": Loop}


@pytest.fixture(scope="session", params=dialects())
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return cast("Dialect", request.param)


@pytest.fixture(scope="session")
def database_url(dialect: Dialect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database that the tests of this worker share."""
    with asyncio.Runner() as runner:
        url = runner.run(create_database(dialect, tmp_path_factory.mktemp("database")))
        try:
            runner.run(apply(settings_for(url)))
            yield url
        finally:
            runner.run(drop_database(url))


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    with running_valkey() as server:
        yield server


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """An S3 server. Tests that ask for it are of the xdist group "seaweed", so that it is one."""
    with running_seaweed() as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """A server for one test, to be maltreated."""
    with running_valkey() as server:
        yield server


@pytest.fixture
def redis_url(shared_valkey: Valkey) -> str:
    """Override this with `own_valkey.url` where the server is to be killed."""
    return shared_valkey.url


@pytest.fixture
def changes() -> dict[str, Any]:
    """Settings that are to differ, as they are when read; override this where some are."""
    return {}


@pytest.fixture(scope="session")
def usual_settings(database_url: str) -> Settings:
    """Read once: that takes as long as many a test."""
    return settings_for(database_url)


@pytest.fixture
def settings(
    usual_settings: Settings, redis_url: str, tmp_path: Path, changes: dict[str, Any]
) -> Settings:
    own = {"redis_url": SecretStr(redis_url), "data_dir": tmp_path, **changes}
    return usual_settings.model_copy(update=own)  # unchecked: a test may mix what a start refuses


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open resources over an empty database and an empty Redis."""
    assert settings.redis_url
    async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
        await redis.flushall()
    async with open_resources(settings) as opened:
        await empty_tables()
        yield opened


@pytest.fixture
def features(resources: Resources) -> Features:
    return build(resources)


@pytest.fixture
async def client(resources: Resources, features: Features) -> AsyncIterator[AsyncClient]:
    """A client of the application, without a network between."""
    app = create_app(resources.settings, features, Health(resources.checks(), stop=asyncio.Event()))
    async with AsyncClient(
        transport=ASGITransport(cast("Any", app)), base_url="http://myapp"
    ) as client:
        yield client


@pytest.fixture
def sign_in(resources: Resources) -> SignIn:
    """`sign_in("ada@example.com")` makes the headers of somebody who has signed in."""

    def issue(email: str = "ada@example.com", **claims: object) -> Headers:
        provider = cast("LocalProvider", resources.identity)
        token = provider.issue(email, **claims)  # type: ignore[arg-type]  # issue's own keywords
        return {"Authorization": f"Bearer {token}"}

    return issue
