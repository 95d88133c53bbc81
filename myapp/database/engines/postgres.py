"""PostgreSQL, by asyncpg."""

import asyncio
import re
from contextlib import suppress
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper

from myapp.database.engines.base import TransactionClient, naming_outages
from myapp.database.engines.pooled import CLOSE_SECONDS, PooledEngine

# SQLSTATE classes: connection, rollback by the server (deadlock), resources (disk full, too many
# connections), operator intervention (shutdown), the system (input and output), and credentials.
OUTAGE_CLASSES = ("08", "40", "53", "57", "58", "28")
READ_ONLY = "25006"  # a standby that was not promoted yet
OUTAGE_STATES = (
    READ_ONLY,
    "55P03",  # a lock was not available in time
    "3D000",  # no such database
)


class PostgresTransaction(TransactionClient, TransactionWrapper):
    """A transaction on one of the pool's connections."""


class PostgresEngine(PooledEngine, AsyncpgDBClient):
    """A pool whose connections are not reset on their return: that would double the round trips.

    The price: what a session keeps (SET, advisory locks, LISTEN) must be undone by who did it.
    """

    transaction = PostgresTransaction

    async def create_pool(self, **options: Any) -> Any:
        return await asyncpg.create_pool(None, reset=leave_as_it_is, **options)

    async def take(self) -> Any:
        with naming_outages(self):
            pool = await self.open_pool()
            return await pool.acquire(timeout=self.checkout_seconds)

    async def discard(self, connection: Any) -> None:
        with suppress(asyncpg.InterfaceError):  # the pool has let go of it when it was lost
            connection.terminate()

    def is_outage(self, error: Exception) -> bool:
        if isinstance(error, asyncpg.PostgresError):
            state = error.sqlstate or ""
            return state[:2] in OUTAGE_CLASSES or state in OUTAGE_STATES
        # One class stands for "is closed", for "was released", as a lost one is, and for wrong use.
        lost = re.search("clos|released", str(error))
        return isinstance(error, asyncpg.InterfaceError) and lost is not None

    def is_read_only(self, error: Exception) -> bool:
        return isinstance(error, asyncpg.PostgresError) and error.sqlstate == READ_ONLY

    async def _close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def leave_as_it_is(_: object) -> None:
    """asyncpg itself has ended the transaction by now."""


client_class = PostgresEngine  # the name that Tortoise looks for
