"""A table of any length that draws only the lines on the screen.

It holds no rows: it asks for the cells of a place when it draws it, and says where it looks. With
Textual's DataTable each row costs time and memory, also those that nobody ever sees.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from myapp.tui.columns import Column, fit, line_of
from myapp.tui.wording import Cell

HEADER_LINES = 1
NOT_LOADED = "…"

Draw = Callable[[int], Sequence[Cell] | None]


class PagedTable(ScrollView, can_focus=True, inherit_bindings=False):
    """A header, rows, and a cursor on one of them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "paged-table--header",
        "paged-table--cursor",
        "paged-table--mark",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown", "turn(1)", "A page down", show=False),
        Binding("pageup", "turn(-1)", "A page up", show=False),
        Binding("home,g", "go_to_top", "First row", show=False),
        Binding("end,G", "go_to_bottom", "Last row", show=False),
    ]

    total: reactive[int] = reactive(0)
    cursor: reactive[int] = reactive(0)

    class Looked(Message):
        """Other rows than before are on the screen, or the cursor is on another one."""

    class Chosen(Message):
        """A row was clicked twice."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        draw: Draw,
        is_marked: Callable[[int], bool],
        id: str | None = None,  # noqa: A002  # Textual's own name for it
    ) -> None:
        """`draw` gives a row's cells, or None where it is not in memory."""
        super().__init__(id=id)
        self._columns = columns
        self._draw = draw
        self._is_marked = is_marked

    @property
    def lines(self) -> int:
        """How many rows fit on the screen."""
        return max(self.scrollable_content_region.height - HEADER_LINES, 1)

    @property
    def looked_at(self) -> range:
        """The places on the screen."""
        top = self.scroll_offset.y
        return range(top, min(top + self.lines, self.total))

    def place(self, *, total: int, cursor: int) -> None:
        """The list has this length now, and the cursor's row is here.

        The row stays on its line of the screen, but a list that shows its top goes on to, as long
        as the cursor is in sight: what is new comes into view there.
        """
        top = self.scroll_offset.y
        moved = cursor - self.cursor
        self.total = total
        self.virtual_size = Size(0, total + HEADER_LINES)
        self.cursor = max(min(cursor, total - 1), 0)
        if top and moved:
            self.scroll_to(y=top + moved, animate=False, force=True)
        self._show_cursor()
        self.refresh()

    def watch_cursor(self) -> None:
        self._show_cursor()
        self.refresh()
        self.post_message(self.Looked())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if seen := self.looked_at:  # a wheel takes the cursor along
            self.cursor = max(min(self.cursor, seen[-1]), seen[0])
        self.post_message(self.Looked())

    def _show_cursor(self) -> None:
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self.lines:
            self.scroll_to(y=self.cursor - self.lines + 1, animate=False, force=True)

    def action_move(self, by: int) -> None:
        self.cursor = max(min(self.cursor + by, self.total - 1), 0)

    def action_turn(self, by: int) -> None:
        self.action_move(by * self.lines)

    def action_go_to_top(self) -> None:
        self.cursor = 0

    def action_go_to_bottom(self) -> None:
        self.cursor = max(self.total - 1, 0)

    def on_resize(self, _event: events.Resize) -> None:
        self._show_cursor()
        self.post_message(self.Looked())

    def on_click(self, event: events.Click) -> None:
        place = self.scroll_offset.y + event.y - HEADER_LINES
        if event.y < HEADER_LINES or place >= self.total:
            return
        self.cursor = place
        if event.chain > 1:
            self.post_message(self.Chosen())

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        widths = fit(self._columns, width)
        if y < HEADER_LINES:
            titles = [column.title for column in self._columns]
            return self._strip(titles, widths, width, "paged-table--header")
        place = self.scroll_offset.y + y - HEADER_LINES
        if place >= self.total:
            return Strip.blank(width, self.rich_style)
        cells = self._draw(place)
        if cells is None:
            cells = [NOT_LOADED, *[""] * (len(self._columns) - 1)]
        components = []
        if self._is_marked(place):
            components.append("paged-table--mark")
        if place == self.cursor and (self.has_focus or not components):
            components.append("paged-table--cursor")
        return self._strip(cells, widths, width, *components)

    def _strip(
        self, cells: Sequence[Cell], widths: Sequence[int], width: int, *components: str
    ) -> Strip:
        style = self.rich_style
        for component in components:
            style += self.get_component_rich_style(component, partial=True)
        line: Text = line_of(cells, self._columns, widths)
        strip = Strip(line.render(self.app.console))
        return strip.adjust_cell_length(width).apply_style(style)
