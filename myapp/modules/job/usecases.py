"""What operators see of the work, and what they do about it.

What changes is in Redis and the audit log in the database: no transaction spans both. The record
is written first, when it is known that the change can be made: it may stand for one that a crash
or a rival prevented, but nothing is ever changed without one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from uuid_utils import uuid7

from myapp.audit import Actor, Audit
from myapp.database.connection import transaction
from myapp.errors import AppError, Conflict, NotFound
from myapp.modules.job.tasks import BULK_JOBS, BulkRest
from myapp.queue.admin import FoundJobs, JobAction, JobBoard, JobFilter
from myapp.queue.admin_bulk import BulkActions, BulkProgress, Selection
from myapp.queue.admin_queues import QueueBoard, QueueState, WorkerState, run_cron
from myapp.queue.client import JobQueue
from myapp.queue.crons import CronBoard, CronState
from myapp.queue.records import JobRecord, JobStatus
from myapp.queue.tasks import Cron, PayloadT, Task
from myapp.until import finish

log = structlog.get_logger()

REQUEST_SECONDS = 3.0  # of a bulk action; some 60,000 jobs. Clients give up at 5 or 10

PAST = {JobAction.RETRY: "retried", JobAction.CANCEL: "cancelled", JobAction.DELETE: "deleted"}
AFTER: Mapping[JobAction, dict[str, str] | None] = {
    JobAction.RETRY: {"status": JobStatus.QUEUED},
    JobAction.CANCEL: {"status": JobStatus.CANCELLED},
    JobAction.DELETE: None,
}


@dataclass(frozen=True, slots=True)
class SettledBulk:
    """One action on all jobs that matched a filter until a moment (milliseconds, by Redis)."""

    action: JobAction
    chosen: JobFilter
    selection: Selection
    until: int


class JobUsecase:
    """Jobs. Every method raises Unavailable when Redis is away."""

    def __init__(
        self,
        redis: Redis,
        board: JobBoard,
        *,
        queue: JobQueue,
        audit: Audit,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """A bulk action that takes longer than `request_seconds` goes on as a task."""
        self._board = board
        self._bulk = BulkActions(redis, board)
        self._queue = queue
        self._audit = audit
        self._request_seconds = request_seconds

    async def find(self, chosen: JobFilter, *, page: int, per_page: int) -> FoundJobs:
        """One page of the jobs that match."""
        return await self._board.find(chosen, offset=(page - 1) * per_page, limit=per_page)

    async def get(self, key: str) -> JobRecord:
        """One job. Raises NotFound."""
        return await self._board.get(key)

    async def enqueue(self, task: Task[PayloadT], payload: PayloadT, actor: Actor) -> str:
        """Queues a task by hand; returns the job's key."""
        key = str(uuid7())
        async with transaction():
            await self._audit(
                actor,
                "job.enqueued",
                target_type="job",
                target_id=key,
                after={"task": task.name},
            )
        return await self._queue.enqueue(task, payload, key=key)

    async def retry(self, key: str, actor: Actor) -> JobRecord:
        """Queues a failed or cancelled job again, with all its attempts. Raises Conflict."""
        await self._act(JobAction.RETRY, key, actor)
        return await self._board.get(key)

    async def cancel(self, key: str, actor: Actor) -> JobRecord:
        """Cancels a job that has not ended; one that runs is stopped within seconds."""
        await self._act(JobAction.CANCEL, key, actor)
        return await self._board.get(key)

    async def delete(self, key: str, actor: Actor) -> None:
        """Forgets a job. Raises Conflict for one that runs: cancel it first."""
        await self._act(JobAction.DELETE, key, actor)

    async def bulk(
        self, action: JobAction, chosen: JobFilter, actor: Actor, *, dry_run: bool
    ) -> tuple[int, int]:
        """Does it to all that match; returns how many match and how many are done.

        What takes too long for a request goes on as a task. Jobs that change their status meanwhile
        are left alone.
        """
        settled = await self.settle(action, chosen)
        matched = await self.count(settled)
        if dry_run or not matched:
            return matched, 0
        return matched, (await self.run(settled, matched, actor)).done

    async def settle(self, action: JobAction, chosen: JobFilter) -> SettledBulk:
        """Which jobs it would be done to, for `count` and `run`."""
        until = await self._bulk.now()
        selection = await self._bulk.select(action, chosen)
        return SettledBulk(action, chosen, selection, until)

    async def count(self, settled: SettledBulk) -> int:
        """To how many of these it can be done now."""
        return await self._bulk.count(settled.action, settled.selection, until=settled.until)

    async def run(self, settled: SettledBulk, matched: int, actor: Actor) -> BulkProgress:
        """Does it to these and no others, as `bulk` does; `matched` is what `count` said.

        What is not finished goes on as the task `jobs:bulk`, also when this is cancelled. What is
        finished, and less than was counted, left alone what had changed its status meanwhile.
        """
        await self._record_bulk(settled, actor, matched)
        running = self._bulk.run(
            settled.action, settled.selection, until=settled.until, seconds=self._request_seconds
        )
        if settled.selection.keys is not None:
            # Which these are no task is told; they are few, and soon done.
            return await finish(asyncio.create_task(running))
        try:
            progress = await running
            if not progress.finished:
                await self._go_on(settled)
        except asyncio.CancelledError:
            await finish(asyncio.create_task(self._leave(settled)))
            raise
        return progress

    async def _leave(self, settled: SettledBulk) -> None:
        """Nobody waits for it any more, but it is on record as done."""
        try:
            await self._go_on(settled)
        except AppError as error:
            log.error("bulk action cut short", action=settled.action, error=error.text)  # noqa: TRY400  # its traceback says no more

    async def _act(self, action: JobAction, key: str, actor: Actor) -> None:
        job = await self._board.get(key)
        check_applies(action, job.status)
        async with transaction():
            await self._audit(
                actor,
                f"job.{PAST[action]}",
                target_type="job",
                target_id=key,
                before={"status": job.status},
                after=AFTER[action],
            )
        status = await self._board.act(action, key)
        if status is None:
            raise NotFound(f"There is no job {key!r}")
        check_applies(action, status)

    async def _record_bulk(self, settled: SettledBulk, actor: Actor, matched: int) -> None:
        chosen = settled.chosen
        wanted = {
            "queue": chosen.queue,
            "status": chosen.status,
            "task": chosen.task,
            "q": chosen.q,
        }
        async with transaction():
            await self._audit(
                actor,
                f"job.bulk_{PAST[settled.action]}",
                target_type="job",
                target_id="*",
                after={
                    "filter": {name: text for name, text in wanted.items() if text},
                    "matched": matched,
                },
            )

    async def _go_on(self, settled: SettledBulk) -> None:
        chosen = settled.selection.chosen
        rest = BulkRest(
            action=settled.action,
            queues=(chosen.queue,) if chosen.queue else tuple(self._board.queues),
            status=chosen.status,
            task=chosen.task,
            until=settled.until,
        )
        await self._queue.enqueue(BULK_JOBS, rest)


class QueueUsecase:
    """Queues and workers. Every method raises Unavailable when Redis is away."""

    def __init__(self, board: QueueBoard, *, audit: Audit) -> None:
        self._board = board
        self._audit = audit

    async def list_queues(self) -> list[QueueState]:
        """All queues, by name."""
        return await self._board.list_all()

    async def list_workers(self) -> Sequence[WorkerState]:
        """The workers that live, the longest at work first."""
        return await self._board.workers()

    async def get_worker(self, worker_id: str) -> WorkerState:
        """One worker that lives. Raises NotFound."""
        for worker in await self._board.workers():
            if worker.record["id"] == worker_id:
                return worker
        raise NotFound(f"There is no worker {worker_id!r} now")

    async def pause(self, name: str, actor: Actor) -> QueueState:
        """Lets no worker start anything new from it. Raises NotFound."""
        state = await self._board.get(name)
        await self._record("queue.paused", state, actor, paused=True)
        await self._board.pause(name)
        return await self._board.get(name)

    async def resume(self, name: str, actor: Actor) -> QueueState:
        """Ends a pause. Raises NotFound."""
        state = await self._board.get(name)
        await self._record("queue.resumed", state, actor, paused=False)
        await self._board.resume(name)
        return await self._board.get(name)

    async def _record(self, action: str, state: QueueState, actor: Actor, *, paused: bool) -> None:
        async with transaction():
            await self._audit(
                actor,
                action,
                target_type="queue",
                target_id=state.name,
                before={"paused": state.paused},
                after={"paused": paused},
            )


class CronUsecase:
    """Crons. Every method raises Unavailable when Redis is away."""

    def __init__(
        self, redis: Redis, board: CronBoard, *, crons: Mapping[str, Cron[Any]], audit: Audit
    ) -> None:
        self._redis = redis
        self._board = board
        self._crons = crons
        self._audit = audit

    async def list(self) -> list[CronState]:
        """All crons, by name."""
        return await self._board.states()

    async def get(self, name: str) -> CronState:
        """One cron. Raises NotFound."""
        for state in await self._board.states():
            if state.name == name:
                return state
        raise NotFound(f"There is no cron {name!r}")

    async def run(self, name: str, actor: Actor) -> CronState:
        """Queues its task now, beside the schedule, also while it is paused. Raises NotFound."""
        await self.get(name)
        await self._record("cron.run", name, actor)
        await run_cron(self._redis, self._crons[name], request_id=actor.request_id)
        return await self.get(name)

    async def pause(self, name: str, actor: Actor) -> CronState:
        """Lets its ticks pass. Raises NotFound."""
        state = await self.get(name)
        change = {"before": {"paused": state.paused}, "after": {"paused": True}}
        await self._record("cron.paused", name, actor, **change)
        await self._board.pause(name)
        return await self.get(name)

    async def resume(self, name: str, actor: Actor) -> CronState:
        """Ends a pause; ticks that passed are not made up for. Raises NotFound."""
        state = await self.get(name)
        change = {"before": {"paused": state.paused}, "after": {"paused": False}}
        await self._record("cron.resumed", name, actor, **change)
        await self._board.resume(name)
        return await self.get(name)

    async def _record(self, action: str, name: str, actor: Actor, **change: Any) -> None:
        async with transaction():
            await self._audit(actor, action, target_type="cron", target_id=name, **change)


def check_applies(action: JobAction, status: JobStatus) -> None:
    """Raises Conflict where this cannot be done to a job of this status."""
    if status not in action.applies_to:
        raise Conflict(f"A job that is {status} cannot be {PAST[action]}")
