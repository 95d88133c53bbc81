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

FilterText = Annotated[str | None, Field(max_length=FILTER_CHARACTERS)]
SearchText = Annotated[
    str | None,
    Field(
        max_length=FILTER_CHARACTERS,
        description=(
            "A job's key, a task or a request id exactly; else a text in the key, task, request "
            "id, worker, payload, result or errors of the newest 1,000 jobs that match the rest."
        ),
    ),
]


class QueueResponse(BaseModel):
    """A queue, with how many jobs it has by their status."""

    name: str
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

    queue: FilterText = None
    status: JobStatus | None = None
    task: FilterText = None
    q: SearchText = None

    @property
    def chosen(self) -> JobFilter:
        return JobFilter(self.queue, self.status, self.task, self.q)


class JobErrorResponse(BaseModel):
    """What went wrong with one attempt."""

    attempt: int
    at: datetime
    error: Annotated[str, Field(description="A sentence, or the end of the traceback.")]


class JobResponse(BaseModel):
    """One job."""

    key: str
    task: Annotated[str, Field(examples=["notification:send"])]
    queue: Annotated[str, Field(examples=["default"])]
    status: JobStatus
    payload: Any
    attempts: Annotated[int, Field(description="Those begun since it was queued or retried.")]
    max_attempts: int
    errors: Annotated[list[JobErrorResponse], Field(description="The oldest first.")]
    result: Any
    request_id: Annotated[str | None, Field(description="Of the request that queued it.")]
    worker: Annotated[str | None, Field(description="Which runs it, or ran it last.")]
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

    queue: FilterText = None
    status: JobStatus | None = None
    task: FilterText = None
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

    name: str
    task: str
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

    id: str
    role: str
    host: str
    pid: int
    version: str
    queues: list[str]
    concurrency: Annotated[int, Field(description="Jobs at once from each queue.")]
    active: Annotated[int, Field(description="Jobs that it runs now.")]
    started_at: datetime
    memory_mb: float

    @classmethod
    def of(cls, worker: WorkerState) -> Self:
        return cls.model_validate({**worker.record, "active": len(worker.running)})
