"""A tile: what something is now, and the bars of what it was."""

from collections import deque
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from myapp.tui.readings import UNKNOWN, Gauge, Reading
from myapp.tui.sparkline import bars
from myapp.tui.wording import plain

SAMPLES = 240  # wider than any tile is


class Tile(Widget, can_focus=True):
    """Three lines; with a border the title goes into it, and the bars become higher."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tile--title", "tile--bars", "tile--note"}

    class Picked(Message):
        """Somebody wants to see what is behind it."""

        def __init__(self, gauge: Gauge) -> None:
            super().__init__()
            self.gauge = gauge

    def __init__(self, gauge: Gauge) -> None:
        super().__init__(id=f"tile-{gauge.name}")  # views have the names themselves
        self.gauge = gauge
        self.border_title = gauge.title
        self.reading: Reading = UNKNOWN
        self._history: deque[float | None] = deque(maxlen=SAMPLES)

    def show(self, reading: Reading) -> None:
        self.reading = reading
        self._history.append(reading.number)
        self.refresh()

    def on_click(self, _event: events.Click) -> None:
        self.post_message(self.Picked(self.gauge))

    def render(self) -> Text:
        width, height = self.content_size
        reading = self.reading
        value = Text(plain(reading.text), style=f"bold {reading.style}")
        note = self._text(plain(reading.note), "note")
        if self.has_class("-bordered"):
            head, tail = sides(value, note, width), None
        else:
            head, tail = sides(self._text(self.gauge.title, "title"), value, width), note
        room = max(height - (1 if tail is None else 2), 1)
        text = Text("\n", no_wrap=True, end="").join([head, *self._middle(width, room)])
        if tail is not None:
            tail.truncate(width, overflow="ellipsis")
            text.append("\n").append_text(tail)
        return text

    def _middle(self, width: int, height: int) -> list[Text]:
        if self.gauge.has_bars:
            drawn = bars(list(self._history), width, height=height, most=self.reading.most)
            return [self._text(line, "bars") for line in drawn]
        lines = [self._text(plain(line), "note") for line in self.reading.lines[:height]]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return lines + [Text()] * (height - len(lines))

    def _text(self, text: str, part: str) -> Text:
        return Text(text, style=self.get_component_rich_style(f"tile--{part}", partial=True))


def sides(left: Text, right: Text, width: int) -> Text:
    """One line with something at both ends; the right end is cut where there is no room."""
    room = max(width - left.cell_len - 1, 0)
    right = right.copy()
    right.truncate(room, overflow="ellipsis")
    gap = max(width - left.cell_len - right.cell_len, 0)
    return Text.assemble(left, " " * gap, right)
