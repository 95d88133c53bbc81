"""The overview: how everything does, in tiles, and the processes that do it."""

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid

from myapp.database.outbox import OutboxRow
from myapp.errors import AppError
from myapp.modules.stats import StatsModule
from myapp.tui.desk import Desk
from myapp.tui.dialogs import Details
from myapp.tui.rates import Rates
from myapp.tui.readings import GAUGES
from myapp.tui.survey import Surveyor
from myapp.tui.tile import Tile
from myapp.tui.view import View
from myapp.tui.views.processes import ProcessesPane
from myapp.tui.wording import ago, count, plain, printable, section

TILES_A_LINE = 4
ROOMY = (110, 32)  # then tiles have borders, and the processes are still several lines
ROWS_SHOWN = 20


class OverviewView(View):
    """Numbers of the whole service, each a way to what is behind it."""

    NAME = "overview"
    TITLE = "Overview"
    KEY = "1"
    NOTES = (
        "Arrows go from tile to tile and on to the processes; Enter shows what is behind one. The"
        " bars are what this dashboard has seen since it runs, the newest at the right, and a dot"
        " is a moment of which nothing is known. Latency: 95 of 100 requests are answered"
        " within it. Queue wait: how long the oldest job waits. Outbox lag: how long the oldest"
        " committed job or event waits to be handed on; what is stuck was refused for good. Users"
        " are counted every 30 seconds."
    )
    KEEPS_UP = True  # the bars would have gaps
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "pick", "Open"),
        Binding("left,h", "step(-1)", "Tile before", show=False),
        Binding("right,l", "step(1)", "Next tile", show=False),
        Binding("up,k", f"step({-TILES_A_LINE})", "Tile above", show=False),
        Binding("down,j", f"step({TILES_A_LINE})", "Tile below", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._surveyor = Surveyor(desk.features)
        self._rates = Rates()
        self._tiles = [Tile(gauge) for gauge in GAUGES]
        self._pane = ProcessesPane(desk, self._rates)
        self._at = 0

    def compose(self) -> ComposeResult:
        yield Grid(*self._tiles, id="tiles")
        yield self._pane

    async def refresh_view(self) -> None:
        survey = await self._surveyor.look()
        if survey.processes is not None:
            self._rates.observe(survey.processes)
            self._pane.show(survey.processes)
        now = self.desk.now()
        for tile in self._tiles:
            tile.show(tile.gauge.read(survey, self._rates, now))
        if survey.fault:
            raise survey.fault

    def wake(self) -> None:
        self._surveyor.forget()
        super().wake()

    def on_resize(self, event: events.Resize) -> None:
        roomy = event.size.width >= ROOMY[0] and event.size.height >= ROOMY[1]
        self.set_class(roomy, "-roomy")
        for tile in self._tiles:
            tile.set_class(roomy, "-bordered")

    def focus_first(self) -> None:
        self.screen.set_focus(self._tiles[self._at])

    def on_descendant_focus(self) -> None:
        """For a click, or Tab. Keys may have gone on to another tile meanwhile."""
        if self.screen.focused in self._tiles:
            self._at = self._tiles.index(self.screen.focused)

    def step_back(self) -> bool:
        """From the processes to the tiles."""
        if self._pane.step_back():
            return True
        in_pane = self._pane.has_focus_within
        if in_pane:
            self.focus_first()
        return in_pane

    def action_step(self, by: int) -> None:
        at = self._at + by
        if self._pane.has_focus_within or at < 0:
            return
        if at >= len(self._tiles):
            self._go_to_processes()
        else:
            self._at = at
            self.focus_first()

    def _go_to_processes(self) -> None:
        self.screen.set_focus(self._pane.table)

    def action_pick(self) -> None:
        self._tiles[self._at].post_message(Tile.Picked(self._tiles[self._at].gauge))

    @on(Tile.Picked)
    def _show_what_is_behind(self, event: Tile.Picked) -> None:
        gauge = event.gauge
        if gauge.view:
            self.post_message(self.Jumped(gauge.view, gauge.filter))
        elif gauge.name == "outbox":
            self.run_worker(self._show_outbox(), group="outbox", exclusive=True)
        else:
            self._go_to_processes()

    async def _show_outbox(self) -> None:
        """What was set aside, of which somebody has to know."""
        stats = self.desk.features.get(StatsModule).stats
        try:
            rows, state = await stats.list_set_aside(ROWS_SHOWN), await stats.outbox()
        except AppError as error:
            self.notify(plain(error.text), severity="error", markup=False)
            return
        wait = f"{count(state.waiting, 'row waits', 'rows wait')} to be handed on"
        if state.oldest:
            wait += f", the oldest for {ago(state.oldest, self.desk.now())}"
        stuck = f"{count(state.set_aside, 'row is', 'rows are')} stuck and will not be tried again"
        body = Group(Text(f"{wait}.\n{stuck}."), *(self._tell(row) for row in rows))
        self.app.push_screen(Details("The outbox", body))

    def _tell(self, row: OutboxRow) -> RenderableType:
        since = ago(row.set_aside_at, self.desk.now())
        title = f"Row {row.id}, {row.kind} {row.name}: stuck for {since}"
        return section(plain(title), Text(printable(row.error or "")))
