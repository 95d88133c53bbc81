"""One migration runner at a time, over all processes and machines that share a database."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from myapp.database.engines.base import Engine
from myapp.database.url import Target
from myapp.errors import Unavailable

POSTGRES_KEY = 0x6D796170705F6D67  # "myapp_mg"; PostgreSQL keeps these apart by database
WAIT_SECONDS = 900.0  # the longest that a runner waits for another one
POLL_SECONDS = 0.1  # asking again and again: a waiting statement can block the other's index build

log = structlog.get_logger()


@asynccontextmanager
async def exclusive(target: Target, engine: Engine) -> AsyncIterator[None]:
    """Waits for other runners and keeps them waiting. The lock ends with its process.

    Raises Unavailable when another runner holds it for too long.
    """
    locks = {"sqlite": file_lock, "postgres": postgres_lock, "mysql": mysql_lock}
    async with locks[target.dialect](target, engine):
        yield


@asynccontextmanager
async def file_lock(target: Target, _: Engine) -> AsyncIterator[None]:
    path = f"{target.credentials['file_path']}.migrating"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    async def attempt() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        await succeed(attempt)
        yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def postgres_lock(_: Target, engine: Engine) -> AsyncIterator[None]:
    connection = await engine.take()

    async def attempt() -> bool:
        return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", POSTGRES_KEY))

    try:
        await succeed(attempt)
        yield
    finally:
        await engine.discard(connection)  # the lock belongs to the session and ends with it
        await engine.give_back(connection)


@asynccontextmanager
async def mysql_lock(target: Target, engine: Engine) -> AsyncIterator[None]:
    connection = await engine.take()
    # MySQL's names are one space for all databases, of at most 64 characters.
    database = hashlib.sha256(target.credentials["database"].encode()).hexdigest()[:32]

    async def attempt() -> bool:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT GET_LOCK(%s, 0)", (f"myapp:migrating:{database}",))
            row: Any = await cursor.fetchone()
            return bool(row[0] == 1)

    try:
        await succeed(attempt)
        yield
    finally:
        await engine.discard(connection)
        await engine.give_back(connection)


async def succeed(attempt: Callable[[], Awaitable[bool]]) -> None:
    waiting = False
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await attempt():
                if not waiting:
                    log.info("waiting for another migration runner")
                waiting = True
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise Unavailable("Another migration runner has not finished") from None
