"""The processes, as the lower part of the overview."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from rich.console import RenderableType

from myapp.enums import Role
from myapp.processes import ProcessState
from myapp.tui.actions import Link
from myapp.tui.columns import Column
from myapp.tui.desk import Desk
from myapp.tui.dialogs import Details
from myapp.tui.rates import Rates
from myapp.tui.readings import number
from myapp.tui.table_view import TableView
from myapp.tui.window import Found
from myapp.tui.wording import Cell, ago, facts, moment


def worker_of(process: ProcessState) -> str | None:
    """What finds its worker, if it is one."""
    if Role.WORKER not in process.roles:
        return None
    return f"host:{process.host} pid:{process.pid}"


class ProcessesPane(TableView[ProcessState]):
    """Those that were heard of lately, the longest running first."""

    NAME = "processes"
    TITLE = "Processes"
    NOUN = ("process", "processes")
    COLUMNS = (
        Column("Role", 14),
        Column("Host"),
        Column("PID", 7, right=True),
        Column("Version", 8, from_width=110),
        Column("CPU", 5, right=True),
        Column("Memory", 7, right=True),
        Column("Req/s", 6, right=True),
        Column("Jobs/s", 6, right=True),
        Column("Streams", 8, from_width=96, right=True),
        Column("Up", 4, right=True),
    )
    LINKS = (Link[ProcessState](key="w", name="Worker", view="workers", filter=worker_of),)

    def __init__(self, desk: Desk, rates: Rates) -> None:
        super().__init__(desk)
        self._rates = rates
        self._processes: Sequence[ProcessState] = ()
        self._known = asyncio.Event()

    def show(self, processes: Sequence[ProcessState]) -> None:
        self._processes = processes
        self._known.set()
        self.wake()

    async def load(self, page: int, per_page: int) -> Found[ProcessState]:
        await self._known.wait()
        text = self.filter.text
        found = [one for one in self._processes if text in f"{one.role} {one.host} {one.pid}"]
        start = (page - 1) * per_page
        return Found(found[start : start + per_page], len(found))

    def key_of(self, row: ProcessState) -> str:
        return row.id

    def cells(self, row: ProcessState) -> Sequence[Cell]:
        return (
            row.role,
            row.host,
            str(row.pid),
            row.version,
            share(self._rates.of(row.id, "cpu_seconds")),
            f"{row.memory_mb:.0f} MB",
            rate(row.requests, self._rates.of(row.id, "requests")),
            rate(row.jobs_done, self._rates.of(row.id, "jobs_done")),
            "" if row.streams is None else f"{row.streams:,}",
            ago(row.started_at, self.desk.now()),
        )

    def action_open(self) -> None:
        if (row := self.current) is not None:
            body = describe(row, self._rates, self.desk.now())
            self.app.push_screen(Details(f"Process {row.pid} on {row.host}", body))


def share(value: float | None) -> str:
    return "…" if value is None else f"{value:.0%}"


def rate(counted: int | None, grows: float | None) -> str:
    """Nothing for what the process does not do."""
    if counted is None:
        return ""
    return "…" if grows is None else number(grows)


def describe(process: ProcessState, rates: Rates, now: datetime) -> RenderableType:
    cpu = share(rates.of(process.id, "cpu_seconds"))
    rows = [
        ("Id", process.id),
        ("Roles", ", ".join(process.roles)),
        ("Version", process.version),
        ("Up since", f"{moment(process.started_at)}, {ago(process.started_at, now)} ago"),
        ("Last heard of", moment(process.measured_at)),
        ("Memory", f"{process.memory_mb:.1f} MB"),
        ("CPU", f"{cpu} of a core, {process.cpu_seconds:,.1f} s since its start"),
    ]
    if process.requests is not None:
        rows.append(("Requests", f"{process.requests:,}, of them {process.errors:,} with 5xx"))
        rows.append(("Streams", f"{process.streams:,} open"))
    if process.jobs_done is not None:
        rows.append(("Jobs", f"{process.jobs_done:,} complete, {process.jobs_failed:,} failed"))
    return facts(rows)
