"""HTTP about queues, jobs, crons and workers."""

from collections.abc import Sequence
from typing import TypeVar

from myapp.binding import gives, gives_nothing, gives_page, queries, refuses, takes
from myapp.errors import Conflict
from myapp.middleware.auth import actor
from myapp.modules.job.dtos import (
    BulkRequest,
    BulkResponse,
    CronResponse,
    JobQuery,
    JobResponse,
    QueueResponse,
    WorkerResponse,
)
from myapp.modules.job.usecases import CronUsecase, JobUsecase, QueueUsecase
from myapp.paging import PageQuery
from myapp.response import Page

T = TypeVar("T")


def page_of(everything: Sequence[T], query: PageQuery) -> Page[T]:
    """One page of a list that is short enough to be read whole."""
    start = (query.page - 1) * query.per_page
    return Page[T](
        items=list(everything[start : start + query.per_page]),
        page=query.page,
        per_page=query.per_page,
        total=len(everything),
    )


class JobController:
    """The jobs of all queues."""

    def __init__(self, jobs: JobUsecase) -> None:
        self._jobs = jobs

    @queries(JobQuery)
    @gives_page(JobResponse)
    async def list_jobs(self, query: JobQuery) -> Page[JobResponse]:
        """The jobs, by queue, status, task or text.

        Those first that came last into their status. What failed stays for 7 days; what completed
        24 hours, at most 10,000 a queue.
        """
        found = await self._jobs.find(query.chosen, page=query.page, per_page=query.per_page)
        return Page[JobResponse](
            items=[JobResponse.of(job) for job in found.jobs],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
        )

    @gives(JobResponse)
    async def get_job(self, key: str) -> JobResponse:
        """One job, with the error of every attempt."""
        return JobResponse.of(await self._jobs.get(key))

    @refuses(Conflict)
    @gives(JobResponse)
    async def retry_job(self, key: str) -> JobResponse:
        """Queue a failed or cancelled job again.

        Its attempts start over; the errors of earlier ones stay, up to 20. 409 in another status.
        """
        return JobResponse.of(await self._jobs.retry(key, actor()))

    @refuses(Conflict)
    @gives(JobResponse)
    async def cancel_job(self, key: str) -> JobResponse:
        """Cancel a job that has not ended.

        One that runs stays `active` until its worker has stopped it, within seconds. 409 for one
        that has ended.
        """
        return JobResponse.of(await self._jobs.cancel(key, actor()))

    @refuses(Conflict)
    @gives_nothing
    async def delete_job(self, key: str) -> None:
        """Delete a job. 409 for one that runs: cancel it first."""
        await self._jobs.delete(key, actor())

    @takes(BulkRequest)
    @gives(BulkResponse)
    async def change_jobs(self, body: BulkRequest) -> BulkResponse:
        """Retry, cancel or delete all jobs that match.

        `matched` are those that match the filter and that the action applies to: retry to failed
        and cancelled ones, cancel to those that have not ended, delete to all but active ones.
        A job that changes its status meanwhile is left alone, so that `done` may be less than that.
        So it is when this takes more than some seconds: the rest is then under way as the task
        `jobs:bulk`.
        """
        matched, done = await self._jobs.bulk(
            body.action, body.filter.chosen, actor(), dry_run=body.dry_run
        )
        return BulkResponse(matched=matched, done=done)


class QueueController:
    """The queues, and who works them off."""

    def __init__(self, queues: QueueUsecase) -> None:
        self._queues = queues

    @queries(PageQuery)
    @gives_page(QueueResponse)
    async def list_queues(self, query: PageQuery) -> Page[QueueResponse]:
        """The queues, by name."""
        return page_of([QueueResponse.of(each) for each in await self._queues.list_queues()], query)

    @gives(QueueResponse)
    async def pause_queue(self, queue: str) -> QueueResponse:
        """Pause a queue: nothing new starts from it after 2 s, and what runs goes on."""
        return QueueResponse.of(await self._queues.pause(queue, actor()))

    @gives(QueueResponse)
    async def resume_queue(self, queue: str) -> QueueResponse:
        """Resume a queue."""
        return QueueResponse.of(await self._queues.resume(queue, actor()))

    @queries(PageQuery)
    @gives_page(WorkerResponse)
    async def list_workers(self, query: PageQuery) -> Page[WorkerResponse]:
        """The workers that live, the longest at work first.

        `GET /admin/jobs?status=active&q=ID` lists what one of them runs now.
        """
        workers = await self._queues.list_workers()
        return page_of([WorkerResponse.of(worker) for worker in workers], query)


class CronController:
    """Tasks by the clock."""

    def __init__(self, crons: CronUsecase) -> None:
        self._crons = crons

    @queries(PageQuery)
    @gives_page(CronResponse)
    async def list_crons(self, query: PageQuery) -> Page[CronResponse]:
        """The crons, by name."""
        return page_of([CronResponse.of(cron) for cron in await self._crons.list()], query)

    @gives(CronResponse)
    async def run_cron(self, name: str) -> CronResponse:
        """Run a cron now, beside its schedule, also while it is paused."""
        return CronResponse.of(await self._crons.run(name, actor()))

    @gives(CronResponse)
    async def pause_cron(self, name: str) -> CronResponse:
        """Pause a cron: its ticks pass and are not made up for."""
        return CronResponse.of(await self._crons.pause(name, actor()))

    @gives(CronResponse)
    async def resume_cron(self, name: str) -> CronResponse:
        """Resume a cron, from its next tick on."""
        return CronResponse.of(await self._crons.resume(name, actor()))
