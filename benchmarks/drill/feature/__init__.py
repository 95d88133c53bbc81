"""A feature of the drill's own: work that takes some seconds, and a cron that ticks often.

It is in the program only where the drill runs it (program.py); its tables are the drill's too.
"""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from tortoise.exceptions import IntegrityError

from myapp.backoff import Backoff
from myapp.database.connection import Database, transaction
from myapp.module import Module
from myapp.outbox.writing import Outbox
from myapp.queue.client import JobQueue
from myapp.queue.tasks import Cron, JobContext, Nothing, Payload, Task
from myapp.resources import Resources

# `halfway` and `done` count how often a run came so far; `fired_at` is in milliseconds.
TABLES = (
    "CREATE TABLE drill_work (id VARCHAR(36) PRIMARY KEY, halfway INT NOT NULL, done INT NOT NULL)",
    "CREATE TABLE drill_tick (tick BIGINT NOT NULL, fired_at BIGINT NOT NULL)",
)
TICK_SECONDS = 2
STEP_SECONDS = 0.5
TOIL_STEPS = 30  # before the middle and after: 30 seconds, which no stop waits for
UNTIL_IT_IS_DONE = 1000  # attempts: an outage may spoil many, and none is to fail for good
RETRY = Backoff(base=0.5, cap=4.0)


class Work(Payload):
    """Which row of `drill_work` to see to, in so many steps before its middle and after."""

    id: UUID
    steps: int


WORK = Task("drill:work", Work, queue="low", attempts=UNTIL_IT_IS_DONE, backoff=RETRY)
TOIL = Task("drill:toil", Work, queue="low", attempts=UNTIL_IT_IS_DONE, backoff=RETRY)
TICK = Task("drill:tick", Nothing, attempts=UNTIL_IT_IS_DONE, backoff=RETRY)
TICKS = Cron("drill-tick", TICK, f"* * * * * */{TICK_SECONDS}", Nothing())


class Working:
    """Takes work on, and does it."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def accept(self, work: Work) -> None:
        """A row, and a job of the same transaction. What was accepted before is not again."""
        row = f"INSERT INTO drill_work (id, halfway, done) VALUES ('{work.id}', 0, 0)"
        try:
            async with self._outbox.transaction() as handover:
                await self._database.client.execute_query_dict(row)
                handover.queue(TOIL if work.steps >= TOIL_STEPS else WORK, work)
        except IntegrityError:
            return

    async def work(self, _job: JobContext, work: Work) -> None:
        """Slowly, and half of it is written down before the rest is begun."""
        for column in ("halfway", "done"):
            for _ in range(work.steps):
                await asyncio.sleep(STEP_SECONDS)
            counted = f"UPDATE drill_work SET {column} = {column} + 1 WHERE id = '{work.id}'"
            async with transaction():
                await self._database.client.execute_query_dict(counted)


class Ticking:
    """Writes down what the cron fired, and when: a tick that fires again is a job queued anew."""

    def __init__(self, database: Database, jobs: JobQueue) -> None:
        self._database = database
        self._jobs = jobs

    async def tick(self, job: JobContext, _payload: Nothing) -> None:
        record = await self._jobs.get(job.key)
        fired_at = round(record.enqueued_at.timestamp() * 1000)
        row = f"INSERT INTO drill_tick (tick, fired_at) VALUES ({tick_of(job.key)}, {fired_at})"
        async with transaction():
            await self._database.client.execute_query_dict(row)


def tick_of(key: str) -> int:
    """When a cron's job was due, in seconds since 1970: the end of its key."""
    return int(key.rpartition(":")[2])


@dataclass(frozen=True, kw_only=True)
class DrillModule(Module):
    working: Working


def init(resources: Resources) -> DrillModule:
    """Builds what the drill has done."""
    working = Working(resources.database, resources.outbox)
    ticking = Ticking(resources.database, resources.jobs)
    return DrillModule(
        working=working,
        tasks=((WORK, working.work), (TOIL, working.work), (TICK, ticking.tick)),
        crons=(TICKS,),
    )
