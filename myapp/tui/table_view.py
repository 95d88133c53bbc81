"""A view that is a list: its table, marks, filter, detail, and what is done to its rows."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.console import RenderableType
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from myapp.errors import AppError, NotFound
from myapp.tui.columns import Column
from myapp.tui.desk import Desk
from myapp.tui.filters import Filter
from myapp.tui.paged_table import PagedTable
from myapp.tui.performing import READ_ONLY
from myapp.tui.selection import Selection
from myapp.tui.view import Place, View
from myapp.tui.window import Found, RowWindow
from myapp.tui.wording import Cell, bar, count, plain

Row = TypeVar("Row")

MARK, MARK_ALL = "mark", "mark_all"


@dataclass(frozen=True, slots=True)
class Detail(Generic[Row]):
    """What Enter opens: the row as it is now, and all there is to say of it."""

    row: Row
    body: RenderableType


class DetailPane(VerticalScroll):
    """Scrolls like the list does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
    ]


class TableView(View, Generic[Row]):
    """Rows by pages. FIELDS are what `/` takes as `name:value`; the rest of it is `filter.text`."""

    COLUMNS: ClassVar[Sequence[Column]]
    FIELDS: ClassVar[Sequence[str]] = ()
    CHANGING: ClassVar[Sequence[str]] = (*View.CHANGING, MARK, MARK_ALL)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        # Before anything else: what is typed next must not be taken for the keys of actions.
        Binding("slash", "filter", "Filter", key_display="/", priority=True),
        Binding("space", MARK, "Mark", show=False),
        Binding("asterisk", MARK_ALL, "Mark all that match", key_display="*", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.filter = Filter()
        self._led_to = Filter()
        self.selection: Selection[Row] = Selection()
        self.opened: Detail[Row] | None = None
        self._opening: str | None = None
        self._loaded = False
        self._fault: AppError | None = None
        self._progress = ""
        self._window: RowWindow[Row] = RowWindow(self.key_of)
        self.table = PagedTable(self.COLUMNS, draw=self._draw, is_marked=self._is_marked)
        self._body = Static(markup=False)
        self._pane = DetailPane(self._body, classes="detail")
        self._input = Input(
            placeholder=self._filter_hint(), classes="filter", compact=True, select_on_focus=False
        )
        self._status = Static(markup=False, classes="status")

    @abstractmethod
    async def load(self, page: int, per_page: int) -> Found[Row]:
        """One page, from 1, of what matches `self.filter`."""

    @abstractmethod
    def key_of(self, row: Row) -> str:
        """What stays the same of a row whatever happens to it; `y` copies it."""

    @abstractmethod
    def cells(self, row: Row) -> Sequence[Cell]:
        """One cell for each of COLUMNS."""

    def name_of(self, row: Row) -> str:
        """How a question names the row."""
        return self.key_of(row)

    async def describe(self, key: str) -> Detail[Row] | None:
        """Reads a row for its detail, None for a list without any. Raises NotFound."""

    def chosen(self) -> Any:
        """What the bulk of an action takes for a filter."""
        return self.filter

    def compose_above(self) -> Sequence[Widget]:
        """What stands above the table. What is of the class "above" makes room for a detail."""
        return ()

    def compose(self) -> ComposeResult:
        yield from self.compose_above()
        yield self.table
        yield self._pane
        yield self._input
        yield self._status

    # What is read.

    async def refresh_view(self) -> None:
        if self._opening is None:
            await self._load_rows()
        else:
            await self._load_detail(self._opening)

    async def _load_rows(self) -> None:
        asked = self.filter
        pages, total = await self._window.read(
            self.load, self.looked_at(), cursor=self.table.cursor, key=self._cursor_key()
        )
        if asked is not self.filter:
            return  # for another question; it has been woken for the new one
        key = self._cursor_key()
        self._window.hold(pages, total)
        self._loaded = True
        place = self._window.place_of(key) if key else None
        self.table.place(total=total, cursor=self.table.cursor if place is None else place)
        self.selection.renew(self._rows())
        self.rows_loaded()
        self._load_what_is_looked_at()

    async def _load_detail(self, key: str) -> None:
        try:
            detail = await self.describe(key)
        except NotFound as error:
            self.notify(plain(error.text), severity="warning", markup=False)
            detail = None
        if key != self._opening:
            return
        if detail is None:
            self._close()
            return
        self.opened = detail
        self._body.update(detail.body)
        self.add_class("-opened")
        self.show_status()

    async def report(self, error: AppError | None) -> None:
        self._fault = error
        self.show_status()
        await super().report(error)

    def rows_loaded(self) -> None:
        """Called after each load of rows."""

    # What is shown.

    def rows_in_memory(self) -> Sequence[Row]:
        return list(self._rows().values())

    def _rows(self) -> dict[str, Row]:
        return {self.key_of(row): row for rows in self._window.pages.values() for row in rows}

    def _draw(self, place: int) -> Sequence[Cell] | None:
        row = self._window.row(place)
        return None if row is None else self.cells(row)

    def _is_marked(self, place: int) -> bool:
        row = self._window.row(place)
        return self.selection.all_match or (
            row is not None and self.selection.has(self.key_of(row))
        )

    def show_status(self) -> None:
        parts = []
        if self.opened:
            parts.append(f"{self.NOUN[0]} {self.name_of(self.opened.row)}")
        elif self._loaded:
            parts.append(count(self._window.total, *self.NOUN))
        elif not self._fault:
            parts.append("loading…")
        if typed := str(self.filter):
            parts.append(f"filter: {typed}")
        parts += [str(self.selection), self._fault.sentence if self._fault else "", self._progress]
        self._status.update(plain(" · ".join(filter(None, parts))))

    def show_progress(self, done: int, total: int) -> None:
        self._progress = f"{bar(done, total)} {done:,} of {total:,}" if done < total else ""
        self.show_status()

    def _filter_hint(self) -> str:
        return " ".join([*(f"{name}:…" for name in self.FIELDS), "text"])

    # What people do.

    @property
    def current(self) -> Row | None:
        """The row that is open, or under the cursor."""
        return self.opened.row if self.opened else self._window.row(self.table.cursor)

    def _cursor_key(self) -> str | None:
        row = self._window.row(self.table.cursor)
        return None if row is None else self.key_of(row)

    def targets(self) -> list[Row]:
        """What an action is for: what is open, or what is marked, or the cursor's row."""
        if self.selection.marks and not self.opened:
            return list(self.selection.marks.values())
        return [] if self.current is None else [self.current]

    def looked_at(self) -> Iterable[int]:
        """The places in the list that have to be in memory."""
        return {*self.table.looked_at, self.table.cursor}

    @on(PagedTable.Looked)
    def _load_what_is_looked_at(self) -> None:
        if self._window.misses(self.looked_at()):
            self._freshness.wake()

    @on(PagedTable.Chosen)
    def action_open(self) -> None:
        if self.current is not None and not self.opened:
            self.open(self.key_of(self.current))

    def open(self, key: str) -> None:
        self._opening = key
        self._pane.scroll_home(animate=False)
        self.screen.set_focus(self._pane)
        self._freshness.wake()

    def _close(self) -> None:
        self._opening = self.opened = None
        self.remove_class("-opened")
        self.screen.set_focus(self.table)
        self.show_status()
        self._freshness.wake()

    def action_mark(self) -> None:
        if not self._is_of_use(MARK) or (row := self.current) is None or self.opened:
            return
        self.selection.turn(self.key_of(row), row)
        self.table.action_move(1)
        self.table.refresh()
        self.show_status()

    def action_mark_all(self) -> None:
        """All that match, also those that nobody has seen: an action then counts them first."""
        if not self._is_of_use(MARK_ALL):
            return
        self.selection.turn_all()
        self.table.refresh()
        self.show_status()

    def _is_of_use(self, mark: str) -> bool:
        """Whether there is an action for what is marked so; otherwise it is said."""
        if self.offers(mark, readonly=self.desk.readonly):
            return True
        those = self.NOUN[1] if mark == MARK else f"all {self.NOUN[1]} at once"
        is_forbidden = self.offers(mark, readonly=False)
        self.notify(READ_ONLY if is_forbidden else f"No action is for {those}", severity="warning")
        return False

    def action_copy(self) -> None:
        if self.current is not None:
            key = self.key_of(self.current)
            self.app.copy_to_clipboard(key)
            self.notify(f"Copied {plain(key)}", markup=False)

    def action_perform(self, key: str) -> None:
        """Where several actions share a key, the first that applies is meant."""
        self.run_worker(self._perform(key), group="actions")

    async def _perform(self, key: str) -> None:
        of_key = [action for action in self.ACTIONS if action.key == key]
        rows = self.targets()
        fitting = [action for action in of_key if any(map(action.applies, rows))]
        action = (fitting or of_key)[0]
        try:
            if self.selection.all_match and not self.opened:
                words = f"those that match {self.filter}" if str(self.filter) else "all there are"
                done = await self.performer.on_all(action, self.chosen(), words=words)
            else:
                named = [(self.name_of(row), row) for row in rows]
                done = await self.performer.on_rows(action, named)
        except AppError as error:  # of a filter that makes no sense
            self.notify(plain(error.text), severity="error", markup=False)
            return
        if done and not self.opened:
            self._unmark()
        self.wake()

    def _unmark(self) -> None:
        self.selection.clear()
        self.table.refresh()
        self.show_status()

    def action_follow(self, number: int) -> None:
        link = self.LINKS[number]
        if self.current is None:
            self.notify(f"{link.name}: there is no {self.NOUN[0]} under the cursor", markup=False)
        elif (wanted := link.filter(self.current)) is None:
            self.notify(f"{link.name}: there is none for this {self.NOUN[0]}", markup=False)
        else:
            self.post_message(self.Jumped(link.view, wanted))

    @classmethod
    def offers(cls, action: str, *, readonly: bool) -> bool:
        """Marks only where an action has use for them."""
        if action == MARK and not cls.ACTIONS:
            return False
        if action == MARK_ALL and not any(each.bulk for each in cls.ACTIONS):
            return False
        return super().offers(action, readonly=readonly)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A filter that is being typed may have a slash in it."""
        if action == "filter" and self.has_class("-filtering"):
            return False
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        if self.opened:
            self._close()
        self._input.value = str(self.filter)
        self.add_class("-filtering")
        # At once, and not when the focus is there: that may be after the first letter.
        self._input.action_select_all()
        self.screen.set_focus(self._input)

    @on(Input.Submitted, ".filter")
    def _apply(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_filter(Filter.parse(event.value, self.FIELDS))
        self._end_filtering()

    def _end_filtering(self) -> None:
        self.remove_class("-filtering")
        self.screen.set_focus(self.table)

    def set_filter(self, wanted: Filter) -> None:
        """Begins at the top of what matches. Marks are gone: nobody acts on what is not shown."""
        self.filter = wanted
        self.selection.clear()
        self._window.hold({}, 0)
        self._loaded = False
        self.table.place(total=0, cursor=0)
        self.show_status()
        self._freshness.wake()

    def focus_first(self) -> None:
        self.screen.set_focus(self._pane if self._opening else self.table)

    def where(self) -> Place:
        return Place(
            self.NAME, str(self.filter), self.table.cursor, self._opening, str(self._led_to)
        )

    def go_to(self, place: Place) -> None:
        if self._opening and self._opening != place.opened:
            self._close()
        self._led_to = Filter.parse(place.led_to, self.FIELDS)
        if str(self.filter) != place.filter:
            self.set_filter(Filter.parse(place.filter, self.FIELDS))
            self.table.place(total=place.cursor + 1, cursor=place.cursor)
        if place.opened:
            self.open(place.opened)

    def step_back(self) -> bool:
        if self.has_class("-filtering"):
            self._end_filtering()
        elif self._opening:
            self._close()
        elif self.selection:
            self._unmark()
        elif self.filter != self._led_to:
            self.set_filter(self._led_to)
        else:
            return False
        return True
