"""Opening the database, and transactions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import TortoiseContext
from tortoise.transactions import in_transaction

from myapp.config import ConfigError, Settings
from myapp.database.url import Dialect, Target, parse_target
from myapp.errors import Unavailable

APP = "models"
CONNECTION = "default"
MODELS = (  # every module with entities; a new one is one line here
    "myapp.database.user",
    "myapp.database.api_key",
    "myapp.database.audit",
    "myapp.database.outbox",
    "myapp.database.device",
    "myapp.database.notification",
    "myapp.database.idempotency",
    "myapp.database.sync",
    "myapp.database.file",
)

PING_SECONDS = 3.0


class Client(Protocol):
    """What raw statements need of a connection or a transaction."""

    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        """Runs one statement and returns its rows."""

    async def execute_script(self, query: str) -> None:
        """Runs several statements, separated by semicolons."""


@dataclass(frozen=True, slots=True)
class Database:
    """The open database. Entities find it by themselves, in every task begun since it opened."""

    dialect: Dialect
    context: TortoiseContext = field(repr=False)

    @property
    def client(self) -> Client:
        """For raw statements; inside `transaction()` they belong to it."""
        client: Client = self.context.db()
        return client

    async def ping(self) -> None:
        """Raises Unavailable when the database does not answer in a few seconds."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self.client.execute_query_dict("SELECT 1")
        except TimeoutError as error:
            raise Unavailable("The database does not answer") from error


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Opens the database for the caller and every task that is created from here on.

    Tortoise keeps its state in a context variable: what serves requests has to start inside this
    block. A server is not asked before the first query, so a program can start without it.
    Raises ConfigError for a `DATABASE_URL` that makes no sense or a file that cannot be made.
    """
    target = parse_target(settings)
    async with connected(target) as context:
        yield Database(target.dialect, context)


@asynccontextmanager
async def connected(
    target: Target, *, models: Sequence[str] = MODELS
) -> AsyncIterator[TortoiseContext]:
    """Tortoise with these entities. One dialect at a time: their queries are built for it."""
    if target.dialect == "sqlite":
        create_private_file(Path(target.credentials["file_path"]))
    EXECUTOR_CACHE.clear()  # statements that Tortoise built for a dialect that was open before
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(target, models), use_tz=True, timezone="UTC")
        try:
            yield context
        finally:
            # Tortoise's own way begins in a task, which a cancellation can keep from beginning.
            await context.db().close()


@asynccontextmanager
async def transaction() -> AsyncIterator[None]:
    """Everything inside is committed together, or rolled back on any exception or cancellation.

    On SQLite it holds the one write lock from its beginning, so keep it short and await nothing
    in it but the database. One inside another is a savepoint. A task started inside must not
    outlive it. Raises Unavailable when the database is out of reach or too busy.
    """
    async with in_transaction():
        yield


def tortoise_config(target: Target, models: Sequence[str]) -> dict[str, Any]:
    engine = f"myapp.database.engines.{target.dialect}"
    return {
        "connections": {CONNECTION: {"engine": engine, "credentials": target.credentials}},
        "apps": {APP: {"models": list(models), "default_connection": CONNECTION}},
    }


def create_private_file(path: Path) -> None:
    """An empty database that only its owner can read; SQLite's other files take its mode.

    One that exists is not opened: to close a file gives up all locks that this process has on it.
    """
    try:
        if path.is_dir():
            raise ConfigError(f"DATABASE_URL: {path} is a folder")
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise ConfigError(f"DATABASE_URL: {path} cannot be made: {error.strerror}") from None
