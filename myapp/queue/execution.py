"""One attempt at a job, from its claim to the report of what came of it."""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

import structlog
from saq.job import Status
from structlog.contextvars import bound_contextvars

from myapp.errors import Invalid, NotFound
from myapp.queue.connection import RedisLink
from myapp.queue.metrics import JobMetrics
from myapp.queue.store import JobLost, JobStore, StoredJob, show
from myapp.queue.tasks import RETRY, JobContext, Registry, Retry

log = structlog.get_logger()

TRACEBACK_FRAMES = 8
# How long a handler may clean up before it is cancelled once more, in seconds.
INSIST_ON_HANDLER = 5.0
# Of the time that a task allows: an attempt that took more is a warning, before one is cut off.
SLOW_SHARE = 0.5

Report = Callable[[], Awaitable[None]]


class Interruption(Enum):
    """Why a handler was cancelled from outside."""

    CANCELLED = auto()
    TIMED_OUT = auto()
    DOUBTFUL = auto()
    STOPPED = auto()


class TimedOut(Exception):  # reads well in a list of errors
    """The attempt took longer than its task allows."""


class Unfit(Exception):  # reads well in a list of errors
    """Nobody knows the job's task, or its payload is not the task's: trying again is no use."""


FORESEEN = (Unfit, Retry, TimedOut)


@dataclass(eq=False, slots=True)
class Running:
    """A job under way. `why` is set when it was interrupted, once and by the first reason.

    `hurried` is set when the grace of a stop is over.
    """

    job: StoredJob
    store: JobStore
    handler: asyncio.Task[object]
    started: float = field(default_factory=time.monotonic)
    why: Interruption | None = None
    hurried: bool = False

    def interrupt(self, why: Interruption) -> None:
        """Called again and again until the handler ends: see INSIST in until.py."""
        if not self.handler.done():
            self.why = self.why or why
            self.handler.cancel()


class Executor:
    """Runs jobs for all queues of a worker. `patience` bounds each wait once grace is over."""

    def __init__(
        self,
        registry: Registry,
        *,
        worker: str,
        link: RedisLink,
        patience: float,
        metrics: JobMetrics,
    ) -> None:
        self._registry = registry
        self._worker = worker
        self._link = link
        self._patience = patience
        self._metrics = metrics
        self.running: set[Running] = set()

    def keys(self, queue: str) -> list[str]:
        """The jobs of a queue that are under way, or whose report is."""
        return [each.job.key for each in self.running if each.store.name == queue]

    def cancel(self, key: str) -> None:
        """Ends a job that an operator cancelled."""
        for each in self.running:
            if each.job.key == key:
                each.interrupt(Interruption.CANCELLED)

    def doubt(self) -> None:
        """Stops all jobs: they may be others' by now."""
        for each in self.running:
            each.interrupt(Interruption.DOUBTFUL)

    async def run(self, job: StoredJob, store: JobStore) -> None:
        """Does a job that was claimed, and reports it for as long as that takes."""
        with bound_contextvars(task=job.function, job=job.key, request_id=job.request_id):
            running = Running(job, store, asyncio.create_task(self._attempt(job, store.name)))
            self.running.add(running)
            try:
                await self._wait(running)
                await self._conclude(running)
            finally:
                self.running.discard(running)

    async def _attempt(self, job: StoredJob, queue: str) -> object:
        try:
            task, handler = self._registry.find(job.function)
            payload = task.parse(job.payload)
        except (NotFound, Invalid) as error:
            raise Unfit(error.sentence) from None
        log.info("job started", attempt=job.attempts)
        context = JobContext(
            key=job.key,
            task=job.function,
            queue=queue,
            attempt=job.attempts,
            max_attempts=job.retries,
            request_id=job.request_id,
            worker=self._worker,
        )
        return await handler(context, payload)

    async def _wait(self, running: Running) -> None:
        """Until the handler has ended, however slowly: else it might run next to its retry.

        The worker cancels this when the grace of a stop is over. The job is put back then, so
        the cancellation goes no further.
        """
        try:
            await asyncio.wait({running.handler}, timeout=self._allowed(running.job))
            while not running.handler.done():
                running.interrupt(Interruption.TIMED_OUT)
                await asyncio.wait({running.handler}, timeout=INSIST_ON_HANDLER)
        except asyncio.CancelledError:
            running.hurried = True
            running.interrupt(Interruption.STOPPED)
            await asyncio.wait({running.handler}, timeout=self._patience)

    def _allowed(self, job: StoredJob) -> float | None:
        task, _ = self._registry.bound.get(job.function, (None, None))
        return task.timeout if task else None

    async def _conclude(self, running: Running) -> None:
        """Reports what came of a job. Where that cannot be told, it is a failed attempt.

        Without a report the job would be put back and run again, for ever: no attempt would count.
        """
        try:
            await self._report(running, self._judge(running))
        except Exception as error:
            log.exception("job could not be judged")
            await self._report(running, self._give_up(running.job, error))

    def _judge(self, running: Running) -> Report:
        """What to report of a handler that has ended, or that the process will not wait for."""
        job, handler = running.job, running.handler
        seconds = round(time.monotonic() - running.started, 3)
        if not handler.done():
            log.error("job does not heed its cancellation", seconds=seconds)
            handler.add_done_callback(lambda late: late.cancelled() or late.exception())
            self._count(job, "put_back", seconds)
            return partial(running.store.put_back, job)
        error = asyncio.CancelledError() if handler.cancelled() else handler.exception()
        if error is None:
            self._log_complete(job, seconds)
            self._count(job, "complete", seconds)
            return partial(job.finish, Status.COMPLETE, result=handler.result())
        if running.why is Interruption.CANCELLED:
            log.info("job cancelled", seconds=seconds)
            self._count(job, "cancelled", seconds)
            return partial(job.finish, Status.ABORTED)
        if running.why is Interruption.TIMED_OUT:
            error = TimedOut(f"took longer than {self._allowed(job):g} s")
        elif running.why:
            log.warning("job put back", why=running.why.name.lower(), seconds=seconds)
            self._count(job, "put_back", seconds)
            return partial(running.store.put_back, job)
        return self._fail(job, error, seconds=seconds)

    def _log_complete(self, job: StoredJob, seconds: float) -> None:
        allowed = self._allowed(job)
        if allowed is not None and seconds > allowed * SLOW_SHARE:
            log.warning("job complete", seconds=seconds, allowed=allowed)
        else:
            log.info("job complete", seconds=seconds)

    def _fail(self, job: StoredJob, error: BaseException, *, seconds: float) -> Report:
        """Another attempt by the task's policy, or the end of the job."""
        text = explain(error)
        says = log.bind(attempt=job.attempts, seconds=seconds, error=one_line(error))
        trace = None if isinstance(error, FORESEEN) else error
        if isinstance(error, Unfit) or not job.retryable:
            says.error("job failed for good", exc_info=trace)
            self._count(job, "failed", seconds)
            return partial(job.finish, Status.FAILED, error=text)
        if isinstance(error, Retry):
            job.delay = max(error.after, 0.0)
        else:
            task, _ = self._registry.find(job.function)
            job.delay = task.backoff.delay(job.attempts)
        says.warning("job failed", again_in=round(job.delay, 3), exc_info=trace)
        self._count(job, "retried", seconds)
        return partial(job.retry, text)

    def _give_up(self, job: StoredJob, error: Exception) -> Report:
        """A failed attempt by the usual policy: the task's own may be what is at fault."""
        if not job.retryable:
            return partial(job.finish, Status.FAILED, error=one_line(error))
        job.delay = RETRY.delay(job.attempts)
        return partial(job.retry, one_line(error))

    def _count(self, job: StoredJob, outcome: str, seconds: float) -> None:
        """Names that nobody knows are one label: whoever queues makes them up."""
        task = job.function if job.function in self._registry.bound else "unknown"
        self._metrics.count_attempt(task, outcome, seconds=seconds)

    async def _report(self, running: Running, report: Report) -> None:
        try:
            await self._link.persist(report, within=self._patience if running.hurried else None)
        except JobLost:
            log.warning("job was rescued meanwhile, its outcome here does not count")
        except TimeoutError:
            log.warning("job could not be reported, others will rescue it")


def one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {show(error)}".rstrip(": ")


def explain(error: BaseException) -> str:
    """What an operator reads: a sentence for what was foreseen, the end of the traceback else."""
    if isinstance(error, FORESEEN):
        return one_line(error)
    return "".join(traceback.format_exception(error, limit=-TRACEBACK_FRAMES))
