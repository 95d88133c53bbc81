"""SQLite: one connection a process, in a thread of its own."""
# ruff: noqa: SLF001  # Tortoise's own state is in attributes that begin with an underscore

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import aiosqlite
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionWrapper,
    translate_exceptions,
)

from myapp.database.engines.base import (
    Engine,
    TransactionClient,
    naming_outages,
)
from myapp.errors import ConfigError
from myapp.until import finish

OUTAGES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
}
CONNECT_TRIES = 100  # 5 seconds
CONNECT_PAUSE_SECONDS = 0.05


class SqliteTransaction(TransactionClient, SqliteTransactionWrapper):
    """A transaction that holds the write lock from its beginning.

    One that read first and asked for the lock later would fail at once, whatever the timeout, if
    another process wrote in between.
    """

    async def begin(self) -> None:
        await self._connection.execute("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        # Not the driver's commit(), which says nothing when SQLite has rolled back by itself.
        await self._connection.execute("COMMIT")
        self._finalized = True

    @translate_exceptions
    async def execute_script(self, query: str) -> None:
        await run_script(self.acquire_connection(), query)


class SqliteEngine(Engine, SqliteClient):
    """Statements and transactions take turns on the one connection."""

    transaction = SqliteTransaction

    async def create_connection(self, with_db: bool) -> None:  # noqa: ARG002, FBT001  # Tortoise's
        """Connects, patiently: SQLite does not wait while another process turns on the WAL."""
        for remaining in reversed(range(CONNECT_TRIES)):
            try:
                self._connection = await connect(self.filename, self.pragmas)
            except sqlite3.DatabaseError as error:
                if primary_code(error) == sqlite3.SQLITE_NOTADB:
                    raise ConfigError(f"DATABASE_URL: {self.filename} is no database") from None
                if primary_code(error) != sqlite3.SQLITE_BUSY or not remaining:
                    raise
                await asyncio.sleep(CONNECT_PAUSE_SECONDS)
            else:
                await self._post_connect()
                return

    async def take(self) -> Any:
        with naming_outages(self):
            async with asyncio.timeout(self.checkout_seconds):
                await self._lock.acquire()
            try:
                if self._connection is None:
                    await self.create_connection(with_db=True)
            except BaseException:
                self._lock.release()
                raise
            return self._connection

    async def give_back(self, connection: Any) -> None:  # noqa: ARG002  # there is only one
        self._lock.release()

    async def discard(self, connection: Any) -> None:
        self._connection = None
        await connection.close()

    def is_outage(self, error: Exception) -> bool:
        return isinstance(error, sqlite3.Error) and primary_code(error) in OUTAGES

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        """Tortoise's own leaves its transaction open when it is cancelled."""
        async with self._in_transaction() as transaction:
            await transaction.execute_many(query, values)

    @translate_exceptions
    async def execute_script(self, query: str) -> None:
        """Tortoise's own commits first, so that a migration could not be rolled back."""
        await run_script(self.acquire_connection(), query)


async def connect(path: str, pragmas: dict[str, Any]) -> aiosqlite.Connection:
    connection = await open_file(path)
    try:
        connection._conn.row_factory = sqlite3.Row
        for name, value in pragmas.items():
            await connection.execute(f"PRAGMA {name}={value}")
    except BaseException:
        await connection.close()
        raise
    return connection


async def open_file(path: str) -> aiosqlite.Connection:
    """Lets aiosqlite finish: cancelled, it leaves the file open until Python looks for cycles."""
    opening = asyncio.ensure_future(aiosqlite.connect(path, isolation_level=None))
    try:
        return await finish(opening)
    except asyncio.CancelledError:
        with suppress(sqlite3.Error):
            await finish(asyncio.create_task(opening.result().close()))
        raise


async def run_script(checkout: Any, script: str) -> None:
    async with checkout as connection:
        for statement in statements_of(script):
            await connection.execute(statement)


def statements_of(script: str) -> Iterator[str]:
    """The statements of a script; a semicolon inside a string or a trigger ends none."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip(" \n;"):
        yield statement


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's kind of error, without the detail in the higher bits."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


client_class = SqliteEngine  # the name that Tortoise looks for
