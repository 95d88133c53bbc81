"""One migrated database for each dialect and worker; every test finds it empty."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest

from myapp.config import Settings
from myapp.database.connection import Database, open_database
from myapp.database.migrations import apply
from myapp.database.url import Dialect
from tests.support.databases import (
    create_database,
    dialects,
    drop_database,
    empty_tables,
    scratch_database,
    settings_for,
)


@pytest.fixture(scope="session", params=dialects())
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return cast("Dialect", request.param)


@pytest.fixture(scope="session")
def migrated(dialect: Dialect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a migrated database that the tests of this worker share."""
    with asyncio.Runner() as runner:
        url = runner.run(create_database(dialect, tmp_path_factory.mktemp("database")))
        try:
            runner.run(apply(settings_for(url)))
            yield settings_for(url)
        finally:
            runner.run(drop_database(url))


@pytest.fixture
async def database(migrated: Settings) -> AsyncIterator[Database]:
    async with open_database(migrated) as opened:
        await empty_tables()
        yield opened


@pytest.fixture
async def empty(dialect: Dialect, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of a database of the test's own, without any table."""
    async with scratch_database(dialect, tmp_path) as url:
        yield settings_for(url)
