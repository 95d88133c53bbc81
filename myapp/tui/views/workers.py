"""The workers that live, and what each runs now."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from myapp.modules.job import JobModule
from myapp.queue.admin_queues import RunningJob, WorkerState
from myapp.queue.liveness import Timings
from myapp.tui.actions import Link
from myapp.tui.columns import Column
from myapp.tui.table_view import Detail, TableView
from myapp.tui.window import Found
from myapp.tui.wording import Cell, ago, facts, listing, moment, plain, section, span

QUIET_SECONDS = 3 * Timings().beat  # longer than a worker that is well keeps quiet
RUNNING_SHOWN = 3


class WorkersView(TableView[WorkerState]):
    """The workers of all machines, the longest at work first."""

    NAME = "workers"
    TITLE = "Workers"
    KEY = "4"
    NOUN = ("worker", "workers")
    NOTES = (
        "/ takes queue:NAME, host:NAME, pid:NUMBER and a text: a part of an id, a host or a"
        " version, or of the task or key of what one runs. Busy is of how many jobs at once, over"
        " all queues. A worker that says nothing for 15 seconds is gone, and others take its jobs."
    )
    FIELDS = ("queue", "host", "pid")
    COLUMNS = (
        Column("Host", 20),
        Column("PID", 7, right=True),
        Column("Version", 8, from_width=110),
        Column("Queues", 16, from_width=96),
        Column("Busy", 7, right=True),
        Column("Memory", 8, from_width=96, right=True),
        Column("Up", 5, right=True),
        Column("Seen", 5, right=True),
        Column("Runs now"),
    )
    LINKS = (
        Link[WorkerState](
            key="o",
            name="Jobs it runs",
            view="jobs",
            filter=lambda worker: f"status:active {worker.record['id']}",
        ),
        Link[WorkerState](
            key="O", name="All its jobs", view="jobs", filter=lambda worker: worker.record["id"]
        ),
    )

    async def load(self, page: int, per_page: int) -> Found[WorkerState]:
        workers = await self.desk.features.get(JobModule).queues.list_workers()
        found = [worker for worker in workers if self._matches(worker)]
        start = (page - 1) * per_page
        return Found(found[start : start + per_page], len(found))

    def _matches(self, worker: WorkerState) -> bool:
        record, text = worker.record, self.filter.text
        texts = [record["id"], record["host"], record["version"]]
        texts += [part for job in worker.running for part in (job.key, job.task)]
        return (
            self.filter.get("queue") in (None, *record["queues"])
            and self.filter.get("host") in (None, record["host"])
            and self.filter.get("pid") in (None, str(record["pid"]))
            and any(text in each for each in texts)
        )

    def key_of(self, row: WorkerState) -> str:
        return str(row.record["id"])

    def name_of(self, row: WorkerState) -> str:
        return f"{row.record['id']} ({row.record['host']}, process {row.record['pid']})"

    def cells(self, row: WorkerState) -> Sequence[Cell]:
        now, record = self.desk.now(), row.record
        return (
            record["host"],
            str(record["pid"]),
            record["version"],
            ", ".join(record["queues"]),
            busy(row),
            f"{record['memory_mb']:.0f} MB",
            ago(started(row), now),
            seen(row),
            runs_now(row.running, now),
        )

    async def describe(self, key: str) -> Detail[WorkerState]:
        worker = await self.desk.features.get(JobModule).queues.get_worker(key)
        return Detail(worker, body_of(worker, self.desk.now()))


def started(worker: WorkerState) -> datetime:
    return datetime.fromisoformat(worker.record["started_at"])


def slots(worker: WorkerState) -> int:
    """How many jobs it runs at once at most."""
    return int(worker.record["concurrency"]) * len(worker.record["queues"])


def busy(worker: WorkerState) -> Text:
    active = len(worker.running)
    return Text(f"{active}/{slots(worker)}", style="yellow" if active >= slots(worker) else "")


def seen(worker: WorkerState) -> Text:
    quiet = worker.silent_seconds > QUIET_SECONDS
    return Text(span(worker.silent_seconds), style="yellow" if quiet else "")


def runs_now(running: Sequence[RunningJob], now: datetime) -> Text:
    """`sync:data 12s, notification:send 0.3s, +4`."""
    if not running:
        return Text("idle", style="dim")
    words = [f"{job.task} {ago(job.started_at, now)}" for job in running[:RUNNING_SHOWN]]
    if (more := len(running) - len(words)) > 0:
        words.append(f"+{more}")
    return Text(plain(", ".join(words)))


def body_of(worker: WorkerState, now: datetime) -> RenderableType:
    record, began = worker.record, started(worker)
    return Group(
        facts(
            (
                ("Worker", record["id"]),
                ("Host", record["host"]),
                ("Process", str(record["pid"])),
                ("Version", record["version"]),
                ("Queues", ", ".join(record["queues"])),
                ("At once", f"{record['concurrency']} jobs of each queue"),
                ("Busy", busy(worker).append(" slots")),
                ("Memory", f"{record['memory_mb']:.1f} MB"),
                ("Up since", f"{moment(began)}, {ago(began, now)} ago"),
                ("Last seen", seen(worker).append(" ago")),
            )
        ),
        section(f"Runs now: {len(worker.running)}", table_of(worker.running, now)),
    )


def table_of(running: Sequence[RunningJob], now: datetime) -> RenderableType:
    if not running:
        return Text("idle", style="dim")
    rows = ((job.task, job.queue, ago(job.started_at, now), job.key) for job in running)
    return listing(("Task", "Queue", "For", "Job"), rows)
