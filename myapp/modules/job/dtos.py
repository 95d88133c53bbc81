"""What goes over the wire about queues, jobs, crons and workers."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from myapp.paging import PageQuery
from myapp.queue.admin import JobAction, JobFilter
from myapp.queue.admin_queues import QueueState, WorkerState
from myapp.queue.crons import CronState
from myapp.queue.records import JobRecord, JobStatus

FILTER_CHARACTERS = 200  # a job's key is the longest that there is

QueueFilter = Annotated[str | None, Field(max_length=FILTER_CHARACTERS, examples=["default"])]
TaskFilter = Annotated[
    str | None, Field(max_length=FILTER_CHARACTERS, examples=["notification:send"])
]
SearchText = Annotated[
    str | None,
    Field(
        max_length=FILTER_CHARACTERS,
        examples=["TimedOut"],
        description=(
            "A job's key, a task or a request id exactly; else a text in the key, task, request "
            "id, worker, payload, result or errors of the newest 1,000 jobs that match the rest."
        ),
    ),
]


class QueueResponse(BaseModel):
    """A queue, with how many jobs it has by their status."""

    name: Annotated[str, Field(examples=["default"])]
    paused: bool
    scheduled: int
    queued: int
    active: int
    complete: int
    failed: int
    cancelled: int
    latency_seconds: Annotated[float, Field(description="Age of the oldest waiting job, or 0.")]
    processed_per_minute: Annotated[
        int, Field(description="Jobs that ended in the last minute, complete or failed.")
    ]
    failed_per_minute: Annotated[int, Field(description="Those of them that failed for good.")]

    @classmethod
    def of(cls, state: QueueState) -> Self:
        return cls(
            name=state.name,
            paused=state.paused,
            **{status.value: count for status, count in state.counts.items()},
            latency_seconds=state.latency_seconds,
            processed_per_minute=state.processed_per_minute,
            failed_per_minute=state.failed_per_minute,
        )


class JobQuery(PageQuery):
    """Which jobs; those first that came last into their status."""

    queue: QueueFilter = None
    status: JobStatus | None = None
    task: TaskFilter = None
    q: SearchText = None

    @property
    def chosen(self) -> JobFilter:
        return JobFilter(self.queue, self.status, self.task, self.q)


class JobErrorResponse(BaseModel):
    """What went wrong with one attempt."""

    attempt: int
    at: datetime
    error: Annotated[
        str, Field(description="A sentence, or the end of the traceback.", examples=["TimedOut: …"])
    ]


class JobResponse(BaseModel):
    """One job."""

    key: Annotated[str, Field(examples=["outbox:0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e01"])]
    task: Annotated[str, Field(examples=["notification:send"])]
    queue: Annotated[str, Field(examples=["default"])]
    status: JobStatus
    payload: Annotated[Any, Field(examples=[{"id": "0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e02"}])]
    attempts: Annotated[int, Field(description="Those begun since it was queued or retried.")]
    max_attempts: int
    errors: Annotated[list[JobErrorResponse], Field(description="The oldest first.")]
    result: Annotated[Any, Field(examples=[None])]
    request_id: Annotated[
        str | None,
        Field(
            description="Of the request that queued it.",
            examples=["b1c5d2f04a9e4c6f8a7b3d1e5f902c64"],
        ),
    ]
    worker: Annotated[
        str | None,
        Field(
            description="Which runs it, or ran it last.",
            examples=["0198c59f-11ab-7e10-8d1c-3c5b7a9d0e42"],
        ),
    ]
    enqueued_at: datetime
    scheduled_at: Annotated[datetime | None, Field(description="When it is or was due.")]
    started_at: Annotated[datetime | None, Field(description="Of the last attempt.")]
    finished_at: datetime | None

    @classmethod
    def of(cls, job: JobRecord) -> Self:
        return cls.model_validate(job, from_attributes=True)


class JobSelection(BaseModel):
    """The parameters of the list of jobs; what is left out matches all."""

    model_config = ConfigDict(extra="forbid")

    queue: QueueFilter = None
    status: JobStatus | None = None
    task: TaskFilter = None
    q: SearchText = None

    @property
    def chosen(self) -> JobFilter:
        """An empty text counts as left out, as in the list's parameters."""
        return JobFilter(self.queue or None, self.status, self.task or None, self.q or None)


class BulkRequest(BaseModel):
    """What to do to all jobs that match."""

    model_config = ConfigDict(extra="forbid")

    action: JobAction
    filter: JobSelection
    dry_run: Annotated[bool, Field(strict=True, description="Only count.")] = False


class BulkResponse(BaseModel):
    """How far it came."""

    matched: Annotated[
        int, Field(description="Jobs that match and are such that the action applies to them.")
    ]
    done: Annotated[int, Field(description="Those that were changed so far.")]


class CronResponse(BaseModel):
    """A task by the clock."""

    name: Annotated[str, Field(examples=["sync"])]
    task: Annotated[str, Field(examples=["sync:data"])]
    schedule: Annotated[str, Field(description="In UTC.", examples=["0 3 * * *"])]
    paused: bool
    next_run_at: Annotated[datetime | None, Field(description="Null until a scheduler has run.")]
    last_run_at: datetime | None
    last_status: Annotated[JobStatus | None, Field(description="Of the job of the last run.")]

    @classmethod
    def of(cls, cron: CronState) -> Self:
        return cls.model_validate(cron, from_attributes=True)


class WorkerResponse(BaseModel):
    """A process that runs jobs."""

    id: Annotated[str, Field(examples=["0198c59f-11ab-7e10-8d1c-3c5b7a9d0e42"])]
    role: Annotated[str, Field(examples=["worker"])]
    host: Annotated[str, Field(examples=["myapp-worker-1"])]
    pid: int
    version: Annotated[str, Field(examples=["0.1.0"])]
    queues: Annotated[list[str], Field(examples=[["default", "low"]])]
    concurrency: Annotated[int, Field(description="Jobs at once from each queue.")]
    active: Annotated[int, Field(description="Jobs that it runs now.")]
    started_at: datetime
    memory_mb: float

    @classmethod
    def of(cls, worker: WorkerState) -> Self:
        return cls.model_validate({**worker.record, "active": len(worker.running)})
