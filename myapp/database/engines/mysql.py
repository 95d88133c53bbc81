"""MySQL and MariaDB, by asyncmy."""

import asyncio
from typing import Any

from asyncmy import errors
from asyncmy.constants import CLIENT, ER
from tortoise.backends.mysql.client import MySQLClient, TransactionWrapper

from myapp.database.engines.base import TransactionClient, naming_outages
from myapp.database.engines.pooled import CLOSE_SECONDS, PooledEngine

# The driver's word, a bare RuntimeError, for a server that hangs up as soon as it is reached: so
# does a proxy whose database is away.
HUNG_UP = "Transport does not expose socket instance"
CLIENT_ERRORS = range(2000, 2100)  # the driver could not reach the server, or lost it
READ_ONLY = {ER.OPTION_PREVENTS_STATEMENT, 1792, 1836}  # as a standby is
OUTAGES = {
    *(ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR),
    *(ER.HOST_IS_BLOCKED, ER.HOST_NOT_PRIVILEGED),
    *(ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.USER_LIMIT_REACHED),
    *(ER.SERVER_SHUTDOWN, ER.NORMAL_SHUTDOWN, ER.ABORTING_CONNECTION, ER.NEW_ABORTING_CONNECTION),
    *range(ER.NET_READ_ERROR_FROM_PIPE, ER.NET_WRITE_INTERRUPTED + 1),
    *(ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK, ER.QUERY_INTERRUPTED),
    *(ER.DISK_FULL, ER.RECORD_FILE_FULL, ER.ERROR_ON_READ, ER.ERROR_ON_WRITE),
    *(ER.OUTOFMEMORY, ER.OUT_OF_SORTMEMORY, ER.OUT_OF_RESOURCES),
    *READ_ONLY,
    ER.READ_ONLY_TRANSACTION,
    *(1927, 4031),  # MariaDB's word for a killed connection, MySQL's for an idle one
}

# The driver writes this behind "SET sql_mode=" on every new connection. TRADITIONAL is strict:
# what does not fit is an error, never cut.
SESSION = "'TRADITIONAL', time_zone='+00:00'"
# As PostgreSQL does. The default, REPEATABLE READ, would not show a transaction the row of another
# that it has just run into.
ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"


class MySQLTransaction(TransactionClient, TransactionWrapper):
    """A transaction on one of the pool's connections."""


class MySQLEngine(PooledEngine, MySQLClient):
    """A pool of sessions that behave as PostgreSQL's do."""

    transaction = MySQLTransaction

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **options,
            sql_mode=SESSION,
            init_command=ISOLATION,
            # An UPDATE counts the rows it found, as elsewhere, and not only those it changed.
            client_flag=CLIENT.FOUND_ROWS,
        )

    async def take(self) -> Any:
        with naming_outages(self):
            pool = await self.open_pool()
            async with asyncio.timeout(self.checkout_seconds):
                return await pool.acquire()

    async def discard(self, connection: Any) -> None:
        connection.close()

    def is_outage(self, error: Exception) -> bool:
        if isinstance(error, errors.InterfaceError):
            return True  # "Not connected"
        if isinstance(error, RuntimeError) and error.args == (HUNG_UP,):
            return True
        code = code_of(error)
        return code in CLIENT_ERRORS or code in OUTAGES

    def is_read_only(self, error: Exception) -> bool:
        return code_of(error) in READ_ONLY

    async def _close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        pool.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.wait_closed()
        except TimeoutError:
            pool.terminate()
            await pool.wait_closed()


def code_of(error: Exception) -> Any:
    """The server's number for an error, or the driver's; None for what has none."""
    return error.args[0] if isinstance(error, errors.MySQLError) and error.args else None


client_class = MySQLEngine  # the name that Tortoise looks for
