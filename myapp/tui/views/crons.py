"""The crons: when each runs next, how its last run went, and what to do about it."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from myapp.modules.job import JobModule
from myapp.queue.admin import JobFilter
from myapp.queue.crons import CronState
from myapp.queue.records import JobRecord, JobStatus
from myapp.tui.actions import Action, Link
from myapp.tui.columns import Column
from myapp.tui.schedules import in_words
from myapp.tui.table_view import Detail, TableView
from myapp.tui.views.jobs import STYLES, error_section
from myapp.tui.window import Found
from myapp.tui.wording import Cell, ago, as_json, brief, facts, listing, moment, section, span

LATE_SECONDS = 10.0  # a scheduler looks every second
RUNS_SHOWN = 10

RUN = Action[CronState](
    key="n",
    verb="Run",
    effect="will have its task queued now, beside its schedule, also while it is paused",
    done="has its task queued",
    call=lambda features, cron, actor: features.get(JobModule).clockwork.run(cron.name, actor),
)
PAUSE = Action[CronState](
    key="p",
    verb="Pause",
    effect="will let its times pass until it is resumed; what runs goes on",
    done="is paused",
    applies=lambda cron: not cron.paused,
    call=lambda features, cron, actor: features.get(JobModule).clockwork.pause(cron.name, actor),
)
RESUME = Action[CronState](
    key="p",
    verb="Resume",
    effect="will run again by its schedule; times that passed are not made up for",
    done="goes on",
    applies=lambda cron: cron.paused,
    call=lambda features, cron, actor: features.get(JobModule).clockwork.resume(cron.name, actor),
)


class CronsView(TableView[CronState]):
    """The crons of all features, by name."""

    NAME = "crons"
    TITLE = "Crons"
    KEY = "3"
    NOUN = ("cron", "crons")
    NOTES = (
        "/ takes a part of a name or of a task. All times are UTC. A cron is late when its time"
        " has passed and no scheduler saw to it: it runs once as soon as one is back."
    )
    COLUMNS = (
        Column("Cron"),
        Column("Task", from_width=110),
        Column("Schedule", 30),
        Column("Next", 9, right=True),
        Column("Last", 6, right=True),
        Column("Result", 9),
    )
    ACTIONS = (RUN, PAUSE, RESUME)
    LINKS = (
        Link[CronState](
            key="o", name="Jobs of its task", view="jobs", filter=lambda cron: f"task:{cron.task}"
        ),
        Link[CronState](
            key="a",
            name="What was done to it",
            view="audit",
            filter=lambda cron: f"target_id:{cron.name}",
        ),
    )

    async def load(self, page: int, per_page: int) -> Found[CronState]:
        crons = await self.desk.features.get(JobModule).clockwork.list()
        text = self.filter.text
        found = [cron for cron in crons if text in cron.name or text in cron.task]
        start = (page - 1) * per_page
        return Found(found[start : start + per_page], len(found))

    def key_of(self, row: CronState) -> str:
        return row.name

    def cells(self, row: CronState) -> Sequence[Cell]:
        now = self.desk.now()
        return (
            row.name,
            row.task,
            in_words(row.schedule),
            Text("paused", style="yellow") if row.paused else next_run(row.next_run_at, now),
            ago(row.last_run_at, now) or "never",
            result_of(row),
        )

    async def describe(self, key: str) -> Detail[CronState]:
        module = self.desk.features.get(JobModule)
        cron = await module.clockwork.get(key)
        prefix = f"cron:{cron.name}:"
        found = await module.jobs.find(
            JobFilter(task=cron.task, q=prefix), page=1, per_page=RUNS_SHOWN
        )
        runs = [job for job in found.jobs if job.key.startswith(prefix)]
        return Detail(cron, body_of(cron, runs, self.desk.now()))


def is_late(cron: CronState, now: datetime) -> bool:
    """Whether its time has passed and no scheduler saw to it."""
    if cron.paused or cron.next_run_at is None:
        return False
    return (now - cron.next_run_at).total_seconds() > LATE_SECONDS


def next_run(at: datetime | None, now: datetime) -> Text:
    """In how long, or how late it is."""
    if at is None:
        return Text("unknown", style="yellow")
    late = (now - at).total_seconds()
    if late > LATE_SECONDS:
        return Text(f"{span(late)} late", style="red")
    return Text("now" if late >= 0 else f"in {span(-late)}")


def result_of(cron: CronState) -> Text:
    if cron.last_status is None:
        return Text("-")
    status = JobStatus(cron.last_status)
    return Text(status, style=STYLES[status])


def body_of(cron: CronState, runs: Sequence[JobRecord], now: datetime) -> RenderableType:
    last = f"{moment(cron.last_run_at)}, {ago(cron.last_run_at, now)} ago: "
    parts = [
        facts(
            (
                ("Cron", cron.name),
                ("Task", cron.task),
                ("Schedule", f"{cron.schedule} ({in_words(cron.schedule)})"),
                ("State", Text("paused", style="yellow") if cron.paused else "runs"),
                ("Next run", describe_next(cron, now)),
                ("Last run", Text(last).append(result_of(cron)) if cron.last_run_at else "never"),
            )
        ),
    ]
    if runs:
        parts.append(section("Last runs", table_of(runs, now)))
        parts += [error_section(error) for error in reversed(runs[0].errors)]
        if runs[0].result is not None:
            parts.append(section("Result", as_json(runs[0].result)))
    return Group(*parts)


def describe_next(cron: CronState, now: datetime) -> Text:
    """As `in 3h, daily at 03:00 UTC`."""
    if cron.paused:
        return Text("not before it is resumed", style="yellow")
    words = next_run(cron.next_run_at, now)
    if cron.next_run_at is None:
        return words.append(", until a scheduler has run")
    return words.append(f", {in_words(cron.schedule)}: {moment(cron.next_run_at)}")


def table_of(runs: Sequence[JobRecord], now: datetime) -> RenderableType:
    return listing(
        ("When", "Status", "Took", "Tries", "Job"),
        (
            (
                f"{ago(job.enqueued_at, now)} ago",
                Text(job.status, style=STYLES[job.status]),
                took(job),
                f"{job.attempts}/{job.max_attempts}",
                job.key,
            )
            for job in runs
        ),
    )


def took(job: JobRecord) -> str:
    """How long its last attempt was, once it has ended."""
    if job.started_at is None or job.finished_at is None:
        return "-"
    return brief((job.finished_at - job.started_at).total_seconds())
