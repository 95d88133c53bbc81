"""Writing to the outbox, in a usecase's own transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from uuid import UUID

from structlog.contextvars import get_contextvars

from myapp.database.connection import transaction
from myapp.database.outbox import OutboxKind, OutboxRow
from myapp.errors import Invalid
from myapp.events import Event
from myapp.queue.tasks import Payload, Task

PayloadT = TypeVar("PayloadT", bound=Payload)
INSERTED_AT_ONCE = 500


class Handover:
    """What one transaction hands on once it is committed, in this order."""

    def __init__(self) -> None:
        self._rows: list[OutboxRow] = []

    def tell(self, event: Event) -> None:
        """An event, for its user's streams or for everybody's."""
        self._add(OutboxKind.EVENT, event.type, event.data.decode(), event.user_id)

    def queue(
        self, task: Task[PayloadT], payload: PayloadT, *, user_id: UUID | None = None
    ) -> None:
        """A job; with a user it keeps its place among what else is handed on for that user.

        Raises Invalid for a payload of another task.
        """
        if type(payload) is not task.payload:
            raise Invalid(f"{task.name} takes {task.payload.__name__}")
        self._add(OutboxKind.JOB, task.name, payload.model_dump_json(), user_id)

    async def store(self) -> bool:
        """Writes the rows; whether there were any."""
        await OutboxRow.bulk_create(self._rows, batch_size=INSERTED_AT_ONCE)
        return bool(self._rows)

    def _add(self, kind: OutboxKind, name: str, payload: str, user_id: UUID | None) -> None:
        request_id = get_contextvars().get("request_id")
        row = OutboxRow(
            kind=kind, name=name, payload=payload, user_id=user_id, request_id=request_id
        )
        self._rows.append(row)


class Outbox:
    """The way into the outbox, and to the relay of this process."""

    def __init__(self) -> None:
        self._written = asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Handover]:
        """A database transaction with a handover: both are committed, or neither.

        The rows are written last, so that ids are in the order of the commits wherever two
        transactions wait for each other. The relay is woken after the commit.
        """
        handover = Handover()
        async with transaction():
            yield handover
            wrote = await handover.store()
        if wrote:
            self._written.set()

    async def wait(self, seconds: float) -> None:
        """Returns when something was committed since the last call, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._written.wait()
        self._written.clear()
