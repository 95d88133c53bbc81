"""Queues and jobs: what waits, runs, failed, and what to do about it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Tab, Tabs

from myapp.errors import Invalid
from myapp.modules.job import JobModule
from myapp.modules.job.usecases import JobUsecase, SettledBulk
from myapp.queue.admin import JobAction, JobFilter
from myapp.queue.admin_queues import QueueState
from myapp.queue.records import JobError, JobRecord, JobStatus
from myapp.registry import Features
from myapp.tui.actions import Action, Bulk, Link
from myapp.tui.columns import Column
from myapp.tui.desk import Desk
from myapp.tui.table_view import Detail, TableView
from myapp.tui.views.queues import QueuesPane
from myapp.tui.window import Found
from myapp.tui.wording import Cell, ago, as_json, facts, moment, section, traceback

EVERY_STATUS = "all"
STYLES = {
    JobStatus.SCHEDULED: "blue",
    JobStatus.QUEUED: "cyan",
    JobStatus.ACTIVE: "green",
    JobStatus.COMPLETE: "",
    JobStatus.FAILED: "red",
    JobStatus.CANCELLED: "yellow",
}


def bulk_of(action: JobAction) -> Bulk[SettledBulk]:
    return Bulk(
        settle=lambda features, chosen: jobs_of(features).settle(action, chosen),
        count=lambda features, settled: jobs_of(features).count(settled),
        call=lambda features, settled, matched, actor: jobs_of(features).run(
            settled, matched, actor
        ),
    )


def jobs_of(features: Features) -> JobUsecase:
    return features.get(JobModule).jobs


def fits(action: JobAction) -> Callable[[JobRecord], bool]:
    return lambda job: job.status in action.applies_to


RETRY = Action[JobRecord](
    key="R",
    verb="Retry",
    effect="will be queued again, with all its attempts",
    done="is queued again",
    applies=fits(JobAction.RETRY),
    call=lambda features, job, actor: features.get(JobModule).jobs.retry(job.key, actor),
    bulk=bulk_of(JobAction.RETRY),
)
CANCEL = Action[JobRecord](
    key="x",
    verb="Cancel",
    effect="will not run; where it runs already, it is stopped within seconds",
    done="is cancelled",
    applies=fits(JobAction.CANCEL),
    call=lambda features, job, actor: features.get(JobModule).jobs.cancel(job.key, actor),
    bulk=bulk_of(JobAction.CANCEL),
)
DELETE = Action[JobRecord](
    key="D",
    verb="Delete",
    effect="will be forgotten for good, with its errors and its result",
    done="is deleted",
    applies=fits(JobAction.DELETE),
    call=lambda features, job, actor: features.get(JobModule).jobs.delete(job.key, actor),
    bulk=bulk_of(JobAction.DELETE),
)


def user_of(job: JobRecord) -> str | None:
    found = job.payload.get("user_id") if isinstance(job.payload, Mapping) else None
    return str(found) if found else None


class JobsView(TableView[JobRecord]):
    """The jobs of all queues, by status, those first that came last into theirs."""

    NAME = "jobs"
    TITLE = "Jobs"
    KEY = "2"
    NOUN = ("job", "jobs")
    NOTES = (
        "/ takes queue:NAME, task:NAME, status:NAME and a text: a job's key, a task or a request's"
        " id, or any text in the newest 1,000."
    )
    ACTION_NOTES = (
        "R, x and D are for the job under the cursor, for the marked ones (Space), or for all that"
        " match (*)."
    )
    CHANGING = (*TableView.CHANGING, "pause_queue")
    FIELDS = ("queue", "task", "status")
    COLUMNS = (
        Column("Status", 9),
        Column("Task"),
        Column("Key"),
        Column("Queue", 9),
        Column("Tries", 5, right=True),
        Column("Since", 8, right=True),
        Column("Worker", 20, from_width=110),
    )
    ACTIONS = (RETRY, CANCEL, DELETE)
    LINKS = (
        Link[JobRecord](key="u", name="User", view="users", filter=user_of),
        Link[JobRecord](key="e", name="User's events", view="events", filter=user_of),
        Link[JobRecord](key="w", name="Worker", view="workers", filter=lambda job: job.worker),
        Link[JobRecord](
            key="o", name="Same request", view="jobs", filter=lambda job: job.request_id
        ),
        Link[JobRecord](
            key="a",
            name="What was done to it",
            view="audit",
            filter=lambda job: f"target_id:{job.key}",
        ),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause_queue", "Pause queue"),
        Binding("left,h", "turn_status(-1)", "Status before", show=False),
        Binding("right,l", "turn_status(1)", "Next status", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._states: Sequence[QueueState] = ()

    def compose_above(self) -> Sequence[Widget]:
        statuses = (Tab(status, id=status) for status in (EVERY_STATUS, *JobStatus))
        tabs = Tabs(*statuses, id="statuses", classes="above")
        tabs.can_focus = False
        queues = QueuesPane(self.desk)
        queues.add_class("above")
        return queues, tabs

    def chosen(self) -> JobFilter:
        status = self.filter.get("status")
        if status is not None and status not in list(JobStatus):
            raise Invalid(f"There is no status {status!r}: {', '.join(JobStatus)}")
        return JobFilter(
            queue=self.filter.get("queue"),
            status=JobStatus(status) if status else None,
            task=self.filter.get("task"),
            q=self.filter.text or None,
        )

    async def load(self, page: int, per_page: int) -> Found[JobRecord]:
        jobs = self.desk.features.get(JobModule).jobs
        found = await jobs.find(self.chosen(), page=page, per_page=per_page)
        return Found(found.jobs, found.total)

    def key_of(self, row: JobRecord) -> str:
        return row.key

    def name_of(self, row: JobRecord) -> str:
        return f"{row.key} ({row.task}, {row.status})"

    def cells(self, row: JobRecord) -> Sequence[Cell]:
        return (
            Text(row.status, style=STYLES[row.status]),
            row.task,
            row.key,
            row.queue,
            f"{row.attempts}/{row.max_attempts}",
            ago(since(row), self.desk.now()),
            row.worker or "",
        )

    async def describe(self, key: str) -> Detail[JobRecord]:
        job = await self.desk.features.get(JobModule).jobs.get(key)
        return Detail(job, body_of(job))

    # The statuses are tabs, and the tabs a part of the filter.

    def set_filter(self, wanted: Any) -> None:
        super().set_filter(wanted)
        self._show_counts()
        self.query_one("#statuses", Tabs).active = self._known_status() or EVERY_STATUS

    @on(Tabs.TabActivated, "#statuses")
    def _choose_status(self, event: Tabs.TabActivated) -> None:
        event.stop()
        if event.tab.id != event.tabs.active:
            return  # another one has been chosen meanwhile
        chosen = None if event.tab.id == EVERY_STATUS else event.tab.id
        if chosen != self._known_status():
            self.set_filter(self.filter.replace("status", chosen))

    def _known_status(self) -> str | None:
        status = self.filter.get("status")
        return status if status in list(JobStatus) else None

    def action_turn_status(self, by: int) -> None:
        tabs = self.query_one("#statuses", Tabs)
        if by > 0:
            tabs.action_next_tab()
        else:
            tabs.action_previous_tab()

    @on(QueuesPane.Surveyed)
    def _count(self, event: QueuesPane.Surveyed) -> None:
        self._states = event.states
        self._show_counts()

    def _show_counts(self) -> None:
        """How many each status has in the queue that is asked for, or in all.

        None where a task or a text is asked for too: how many of those there are, nobody knows
        without counting each.
        """
        queue = self.filter.get("queue")
        is_known = not (self.filter.get("task") or self.filter.text)
        counted = [state for state in self._states if is_known and queue in (None, state.name)]
        for status in JobStatus:
            number = sum(state.counts[status] for state in counted)
            label = f"{status} {short(number)}" if number else status.value
            self.query_one(f"#statuses Tab#{status}", Tab).label = label

    @on(QueuesPane.Picked)
    def _choose_queue(self, event: QueuesPane.Picked) -> None:
        self.set_filter(self.filter.replace("queue", event.queue))
        self.table.focus()

    def step_back(self) -> bool:
        """The marks of queues go first."""
        return self.query_one(QueuesPane).step_back() or super().step_back()

    def action_pause_queue(self) -> None:
        """The one under the cursor of the queues, wherever the focus is: the question names it."""
        self.query_one(QueuesPane).action_perform("p")


def since(job: JobRecord) -> Any:
    """Since when it has its status; for one that waits for its time, until when."""
    if job.status is JobStatus.SCHEDULED:
        return job.scheduled_at
    if job.status is JobStatus.ACTIVE:
        return job.started_at
    return job.finished_at or job.enqueued_at


def short(number: int) -> str:
    """At most five characters."""
    for size, unit in ((1_000_000, "M"), (10_000, "k")):
        if number >= size:
            return f"{number // (1_000_000 if unit == 'M' else 1_000)}{unit}"
    return f"{number:,}"


def body_of(job: JobRecord) -> RenderableType:
    parts = [
        facts(
            (
                ("Status", Text(job.status, style=STYLES[job.status])),
                ("Task", job.task),
                ("Key", job.key),
                ("Queue", job.queue),
                ("Attempts", f"{job.attempts} of {job.max_attempts}"),
                ("Request", job.request_id or "-"),
                ("Worker", job.worker or "-"),
                ("Enqueued", moment(job.enqueued_at)),
                ("Scheduled", moment(job.scheduled_at)),
                ("Started", moment(job.started_at)),
                ("Finished", moment(job.finished_at)),
            )
        ),
        section("Payload", as_json(job.payload)),
        *(part for error in reversed(job.errors) for part in [error_section(error)]),
    ]
    if job.result is not None:
        parts.append(section("Result", as_json(job.result)))
    return Group(*parts)


def error_section(error: JobError) -> RenderableType:
    return section(f"Attempt {error.attempt}, {moment(error.at)}", traceback(error.error))
