"""The queues, as the upper part of the view of jobs."""

from collections.abc import Sequence

from rich.text import Text
from textual.message import Message

from myapp.modules.job import JobModule
from myapp.queue.admin_queues import QueueState
from myapp.queue.records import JobStatus
from myapp.tui.actions import Action
from myapp.tui.columns import Column
from myapp.tui.table_view import TableView
from myapp.tui.window import Found
from myapp.tui.wording import Cell, span

LINES_AT_MOST = 5

PAUSE = Action[QueueState](
    key="p",
    verb="Pause",
    effect="will start nothing new; what runs goes on",
    done="is paused",
    applies=lambda queue: not queue.paused,
    call=lambda features, queue, actor: features.get(JobModule).queues.pause(queue.name, actor),
)
RESUME = Action[QueueState](
    key="p",
    verb="Resume",
    effect="will start jobs again, within a second",
    done="goes on",
    applies=lambda queue: queue.paused,
    call=lambda features, queue, actor: features.get(JobModule).queues.resume(queue.name, actor),
)


class QueuesPane(TableView[QueueState]):
    """How full they are and how they keep up. Enter shows the jobs of one."""

    NAME = "queues"
    TITLE = "Queues"
    NOUN = ("queue", "queues")
    COLUMNS = (
        Column("Queue"),
        Column("State", 7),
        Column("Waiting", 9, right=True),
        Column("Later", 9, right=True),
        Column("Active", 7, right=True),
        Column("Failed", 9, right=True),
        Column("Latency", 8, right=True),
        Column("Per minute", 11, from_width=76, right=True),
    )
    ACTIONS = (PAUSE, RESUME)

    class Picked(Message):
        """Whose jobs to show."""

        def __init__(self, queue: str) -> None:
            super().__init__()
            self.queue = queue

    class Surveyed(Message):
        """The queues as they are now."""

        def __init__(self, states: Sequence[QueueState]) -> None:
            super().__init__()
            self.states = states

    async def load(self, page: int, per_page: int) -> Found[QueueState]:
        states = await self.desk.features.get(JobModule).queues.list_queues()
        start = (page - 1) * per_page
        return Found(states[start : start + per_page], len(states))

    def key_of(self, row: QueueState) -> str:
        return row.name

    def cells(self, row: QueueState) -> Sequence[Cell]:
        failed = row.counts[JobStatus.FAILED]
        return (
            row.name,
            Text("paused", style="yellow") if row.paused else "runs",
            f"{row.counts[JobStatus.QUEUED]:,}",
            f"{row.counts[JobStatus.SCHEDULED]:,}",
            f"{row.counts[JobStatus.ACTIVE]:,}",
            Text(f"{failed:,}", style="red" if failed else ""),
            span(row.latency_seconds),
            f"{row.processed_per_minute:,}",
        )

    def rows_loaded(self) -> None:
        states = self.rows_in_memory()
        self.styles.height = min(len(states), LINES_AT_MOST) + 1
        self.post_message(self.Surveyed(states))

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(self.Picked(self.current.name))
