"""The relay: hands on what the outbox has, jobs to the queue and events to the hub."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self
from uuid import UUID

import structlog
from structlog.contextvars import bound_contextvars

from myapp.backoff import Backoff
from myapp.database.outbox import OutboxKind, OutboxRow
from myapp.errors import AppError, Unavailable
from myapp.events import Event
from myapp.outbox.lease import RelayLease
from myapp.outbox.metrics import OutboxMetrics
from myapp.outbox.writing import Outbox
from myapp.queue.client import JobQueue
from myapp.queue.tasks import Registry
from myapp.until import end, finish

PAGE_ROWS = 100  # handed on well within a lease
TIMER_SECONDS = 1.0  # how late a row is whose process died after the commit
STATE_SECONDS = 10.0
LAST_PASS_SECONDS = 2.0
RECONNECT = Backoff(base=0.1, cap=2.0)
LEASE_PAUSE = Backoff(base=0.01, cap=0.2)
# About a minute, in which a release that knows the task may come up.
REFUSALS = 7
REFUSAL_PAUSE = Backoff(base=1.0, cap=30.0)

log = structlog.get_logger()


class Publisher(Protocol):
    """The part of the hub that the relay needs."""

    async def publish(self, event: Event, *, outbox_id: str | None = None) -> str:
        """Tells the event once, however often it comes with this id. Raises Unavailable."""


class Relay:
    """Runs from entry to exit, in every process that writes; at its exit it hands on the rest."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        jobs: JobQueue,
        hub: Publisher,
        tasks: Registry,
        lease: RelayLease,
        metrics: OutboxMetrics,
        timer_seconds: float = TIMER_SECONDS,
        state_seconds: float = STATE_SECONDS,
        refusal_pause: Backoff = REFUSAL_PAUSE,
    ) -> None:
        self._outbox = outbox
        self._jobs = jobs
        self._hub = hub
        self._tasks = tasks
        self._lease = lease
        self._metrics = metrics
        self._timer_seconds = timer_seconds
        self._state_seconds = state_seconds
        self._refusal_pause = refusal_pause
        self._failures = 0
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._running = [asyncio.create_task(each) for each in (self._run(), self._watch())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await finish(asyncio.create_task(self._end_work()))
        try:
            async with asyncio.timeout(LAST_PASS_SECONDS):
                await self.hand_on_all()
        except (Unavailable, TimeoutError):
            log.info("the outbox was left as it is, another process hands it on")

    async def _end_work(self) -> None:
        for task in self._running:
            await end(task)

    async def _run(self) -> None:
        while True:
            try:
                await self.hand_on_all()
            except Exception as error:  # noqa: BLE001  # the relay outlives whatever goes wrong
                await self._wait_after(error)
            else:
                self._find()
                timer = self._timer_seconds * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load
                await self._outbox.wait(timer)

    async def hand_on_all(self) -> None:
        """Hands on every row that is due. Raises Unavailable without Redis or the database."""
        refused_a_lease = 0
        while await OutboxRow.waiting().exists():
            if await self._lease.take():
                try:
                    await self._hand_on_pages()
                finally:
                    await self._lease.release()
                return
            refused_a_lease += 1
            await asyncio.sleep(LEASE_PAUSE.delay(refused_a_lease))

    async def _hand_on_pages(self) -> None:
        """In the order of ids. Behind a row that has to wait, its user's others wait too."""
        held: set[UUID] = set()
        after = 0
        while rows := await OutboxRow.waiting(after=after).limit(PAGE_ROWS):
            after = rows[-1].id
            await self._hand_on_page(rows, held)
            if len(rows) < PAGE_ROWS or not await self._lease.take():
                return

    async def _hand_on_page(self, rows: Sequence[OutboxRow], held: set[UUID]) -> None:
        done: list[int] = []
        try:
            for row in rows:
                if row.group in held:
                    continue
                if await self._try(row):
                    done.append(row.id)
                elif row.group is not None and row.set_aside_at is None:
                    held.add(row.group)
        finally:
            if done:
                await OutboxRow.remove(done)

    async def _try(self, row: OutboxRow) -> bool:
        """Whether the row was handed on. Raises Unavailable: then no row would fare better."""
        if row.retry_at is not None and row.retry_at > datetime.now(UTC):
            return False
        with bound_contextvars(request_id=row.request_id):
            try:
                await self._hand_on(row)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001  # one row's fault must not keep the others
                await self._refuse(row, error)
                return False
            self._metrics.count_handover(row.kind, written_at=row.created_at.timestamp())
            log.debug("handed on", kind=row.kind.value, name=row.name)
            return True

    async def _hand_on(self, row: OutboxRow) -> None:
        if row.kind is OutboxKind.EVENT:
            event = Event(row.name, row.payload.encode(), row.user_id)
            await self._hub.publish(event, outbox_id=str(row.key))
            return
        job = self._tasks.parse(row.name, row.payload)
        await self._jobs.enqueue(*job, key=f"outbox:{row.key}", once=True)

    async def _refuse(self, row: OutboxRow, error: Exception) -> None:
        """Another try later, or none: then the row stays where it is seen."""
        self._metrics.count_refusal()
        now, tries = datetime.now(UTC), row.attempts + 1
        last = tries >= REFUSALS
        pause = timedelta(seconds=self._refusal_pause.delay(tries))
        await row.refuse(
            f"{type(error).__name__}: {error}",
            retry_at=None if last else now + pause,
            set_aside_at=now if last else None,
        )
        says = log.bind(row=row.id, kind=row.kind.value, name=row.name)
        trace = None if isinstance(error, AppError) else error
        if last:
            says.error("outbox row set aside", error=str(error), exc_info=trace)
        elif tries == 1:
            says.warning("outbox row refused", error=str(error), exc_info=trace)

    async def _watch(self) -> None:
        """Shows what waits, once in a while, also while nothing can be handed on."""
        while True:
            try:
                self._metrics.show(await OutboxRow.state())
            except Unavailable as error:
                log.debug("the outbox cannot be looked at", error=str(error))  # the relay says so
            except Exception:  # the gauges outlive whatever goes wrong
                log.exception("the outbox cannot be looked at")
            await asyncio.sleep(self._state_seconds)

    async def _wait_after(self, error: Exception) -> None:
        """Says so once, however long it lasts."""
        self._failures += 1
        if self._failures == 1:
            trace = None if isinstance(error, Unavailable) else error
            log.warning("the outbox waits", error=str(error), exc_info=trace)
        await asyncio.sleep(RECONNECT.delay(self._failures))

    def _find(self) -> None:
        if self._failures:
            log.info("the outbox is handed on again", after_tries=self._failures)
        self._failures = 0
