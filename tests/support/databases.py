"""Scratch databases on real servers, for the whole suite.

`MYAPP_TEST_DATABASES` names the dialects to test, separated by commas; the default is SQLite
alone. A dialect that is named is tested: a server that is away fails its tests, never skips them.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit
from uuid import uuid4

import asyncmy
import asyncpg  # type: ignore[import-untyped]  # it ships no types
from pydantic import SecretStr
from tortoise import Tortoise

from myapp.config import Settings
from myapp.database.url import Dialect

SERVERS: Mapping[Dialect, str] = {
    "postgres": os.environ.get(
        "MYAPP_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"
    ),
    "mysql": os.environ.get("MYAPP_TEST_MYSQL_URL", "mysql://root@127.0.0.1:3306/mysql"),
}


def dialects() -> list[Dialect]:
    """Those that this run tests; for `pytest.mark.parametrize`."""
    named = os.environ.get("MYAPP_TEST_DATABASES", "sqlite").split(",")
    known: tuple[Dialect, ...] = get_args(Dialect)
    if unknown := {name.strip() for name in named} - set(known):
        raise ValueError(f"MYAPP_TEST_DATABASES names {', '.join(sorted(unknown))}")
    return [dialect for dialect in known if dialect in {name.strip() for name in named}]


@asynccontextmanager
async def scratch_database(dialect: Dialect, folder: Path) -> AsyncIterator[str]:
    """The URL of a new, empty database that is gone afterwards.

    Only SQLite uses the folder, which is an absolute path.
    """
    url = await create_database(dialect, folder)
    try:
        yield url
    finally:
        await drop_database(url)


async def create_database(dialect: Dialect, folder: Path) -> str:
    name = f"myapp_test_{uuid4().hex[:16]}"
    if dialect == "sqlite":
        return f"sqlite://{folder}/{name}.db"
    await run_on_server(dialect, f"CREATE DATABASE {name}")
    return urlsplit(SERVERS[dialect])._replace(path=f"/{name}").geturl()


async def drop_database(url: str) -> None:
    """Also while something is connected to it, as after a failed test."""
    parts = urlsplit(url)
    if parts.scheme == "postgres":
        await run_on_server("postgres", f"DROP DATABASE {parts.path[1:]} WITH (FORCE)")
    elif parts.scheme == "mysql":
        await run_on_server("mysql", f"DROP DATABASE {parts.path[1:]}")


async def run_on_server(dialect: Dialect, statement: str) -> None:
    """Runs one statement on the server, past everything under test."""
    server = SERVERS[dialect]
    if dialect == "postgres":
        connection = await asyncpg.connect(server)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
        return
    parts = urlsplit(server)
    async with (
        asyncmy.connect(
            host=parts.hostname or "",
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
        ) as connection,
        connection.cursor() as cursor,
    ):
        await cursor.execute(statement)


def settings_for(url: str, **others: object) -> Settings:
    """Settings that know this database and nothing of the environment's `.env`."""
    values: dict[str, object] = {"database_url": SecretStr(url), **others}
    return Settings(_env_file=None, **values)  # type: ignore[call-arg,arg-type]  # pydantic's own


async def empty_tables() -> None:
    """Deletes every row of every entity of the open database; faster than a new one."""
    for app in (Tortoise.apps or {}).values():
        for model in app.values():
            await model.all().delete()
