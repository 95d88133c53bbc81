"""What the engines share: checking connections out, transactions, and what an outage is."""
# ruff: noqa: SLF001  # Tortoise's own state is in attributes that begin with an underscore

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any

import structlog
from tortoise.backends.base.client import (
    BaseDBAsyncClient,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.connection import ConnectionToken, get_connections
from tortoise.exceptions import DBConnectionError, TransactionManagementError

from myapp.errors import Unavailable

ROLLBACK_SECONDS = 5.0
OUTAGE = "The database is out of reach for the moment"

log = structlog.get_logger()


class Engine(BaseDBAsyncClient):
    """A client that owns connections."""

    transaction: type[Any]  # a TransactionClient and Tortoise's wrapper in one

    def __init__(
        self, *, checkout_seconds: float, statement_seconds: float | None, **options: Any
    ) -> None:
        """The longest waits, for a connection and for a statement; None is for ever."""
        super().__init__(**options)
        self.checkout_seconds = checkout_seconds
        self.statement_seconds = statement_seconds

    async def take(self) -> Any:
        """A connection for the caller alone. Raises Unavailable when none can be had in time."""
        raise NotImplementedError

    async def give_back(self, connection: Any) -> None:
        """Ends what `take` began."""
        raise NotImplementedError

    async def discard(self, connection: Any) -> None:
        """Breaks a connection whose state is unknown; `give_back` still follows."""
        raise NotImplementedError

    def is_outage(self, error: Exception) -> bool:
        """Whether the driver blames the server and not the statement: trying again may help."""
        raise NotImplementedError

    def is_read_only(self, error: Exception) -> bool:  # noqa: ARG002  # its shape
        """Whether the server takes no writes: its name may lead to another one by now.

        A server may be demoted and keep its connections, or a name may lead to the former primary
        for a while, so that the connection was made to a standby.
        """
        return False

    def acquire_connection(self) -> Any:
        return checkout(self)

    def _in_transaction(self) -> TransactionContext:
        return Transaction(self.transaction(self))


class TransactionClient(TransactionalDBClient):
    """A client that stands for one transaction; one inside it is a savepoint."""

    _connection: Any
    _parent: Any
    _lock: asyncio.Lock

    @property
    def engine(self) -> Engine:
        engine: Engine = self._parent if isinstance(self._parent, Engine) else self._parent.engine
        return engine

    def acquire_connection(self) -> Any:
        return turn(self)

    def _in_transaction(self) -> TransactionContext:
        wrapper: type[Any] = type(self)
        return Savepoint(wrapper(self))


@contextmanager
def naming_outages(engine: Engine) -> Iterator[None]:
    """Turns the driver's word for an outage into Unavailable, which tells nothing of SQL."""
    try:
        yield
    except (DBConnectionError, OSError, TimeoutError) as error:
        raise Unavailable(OUTAGE) from error
    except Exception as error:
        if engine.is_outage(error):
            raise Unavailable(OUTAGE) from error
        raise


@asynccontextmanager
async def statement(engine: Engine, connection: Any) -> AsyncIterator[None]:
    """One round trip. Raises Unavailable when it takes too long or the server is away."""
    with naming_outages(engine):
        try:
            # Not the drivers' own limits: on Python 3.11 asyncmy's loses cancellations.
            async with asyncio.timeout(engine.statement_seconds):
                yield
        except Exception as error:
            if engine.is_read_only(error):  # a primary that was demoted keeps its connections
                await engine.discard(connection)
            raise


@asynccontextmanager
async def checkout(engine: Engine) -> AsyncIterator[Any]:
    """A connection for one statement."""
    connection = await engine.take()
    try:
        async with statement(engine, connection):
            yield connection
    finally:
        with naming_outages(engine):
            await engine.give_back(connection)


@asynccontextmanager
async def turn(client: TransactionClient) -> AsyncIterator[Any]:
    """A transaction's connection for one statement; tasks that share it take turns."""
    async with client._lock:
        if client._finalized:
            # A task that was started inside outlived it: its connection now serves somebody else.
            raise TransactionManagementError("This transaction has ended")
        async with statement(client.engine, client._connection):
            yield client._connection


class Transaction(TransactionContext):
    """One transaction. Whatever happens, nothing of it stays open and its connection goes back."""

    client: TransactionClient

    def __init__(self, client: TransactionClient) -> None:
        self.client = client
        self._engine = client.engine
        self._token: ConnectionToken | None = None

    async def __aenter__(self) -> TransactionClient:
        self.client._connection = await self._engine.take()
        try:
            async with statement(self._engine, self.client._connection):
                await self.client.begin()
        except BaseException:
            await self._end(commit=False)
            raise
        self._token = get_connections().set(self._engine.connection_name, self.client)
        return self.client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            get_connections().reset(self._token)
        finally:
            await self._end(commit=error is None)

    async def _end(self, *, commit: bool) -> None:
        try:
            if commit and not self.client._finalized:
                async with statement(self._engine, self.client._connection):
                    await self.client.commit()
        finally:
            try:
                await self._undo()
            finally:
                self.client._finalized = True
                await self._engine.give_back(self.client._connection)

    async def _undo(self) -> None:
        """Rolls back what is not committed; if that fails, the connection goes, and it with it."""
        if self.client._finalized:
            return
        try:
            async with asyncio.timeout(ROLLBACK_SECONDS):
                await self.client.rollback()
        except BaseException as error:
            await self._engine.discard(self.client._connection)
            if not isinstance(error, Exception):
                raise
            log.debug("rollback failed, connection dropped", error=repr(error))


class Savepoint(TransactionContext):
    """A transaction inside another. When it cannot be undone alone, the outer one fails too."""

    client: TransactionClient

    def __init__(self, client: TransactionClient) -> None:
        self.client = client
        self._engine = client.engine

    async def __aenter__(self) -> TransactionClient:
        async with statement(self._engine, self.client._connection):
            await self.client.savepoint()
        return self.client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            async with statement(self._engine, self.client._connection):
                await self.client.release_savepoint()
        else:
            await self._undo()

    async def _undo(self) -> None:
        try:
            async with asyncio.timeout(ROLLBACK_SECONDS):
                await self.client.savepoint_rollback()
        except BaseException as error:
            await self._engine.discard(self.client._connection)
            if not isinstance(error, Exception):
                raise
            log.debug("savepoint not rolled back, connection dropped", error=repr(error))
