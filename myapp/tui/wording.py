"""Values as an operator reads them."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

Cell = str | Text
SYNTAX_THEME = "ansi_dark"  # the terminal's own 16 colours

BAR_CELLS = 20
UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def plain(value: object) -> str:
    """One line without control characters: what users write must not drive the terminal."""
    return "".join(each if each.isprintable() else " " for each in str(value))


def printable(text: str) -> str:
    """The same for several lines."""
    return "\n".join(plain(line) for line in text.expandtabs(4).split("\n"))


def span(seconds: float) -> str:
    """`0.3s`, `12s`, `5m`, `3h`, `2d`."""
    for size, unit in UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:.1f}s" if 0 < seconds < 10 else f"{int(seconds)}s"


def brief(seconds: float) -> str:
    """The same for what is short as a rule: `<1 ms`, `12 ms`, `1.3s`."""
    if seconds < 0.001:
        return "<1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else span(seconds)


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, or in how long; nothing for None."""
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    return f"in {span(-seconds)}" if seconds < 0 else span(seconds)


def moment(time: datetime | None) -> str:
    """To the second, in UTC, with `Z`."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ") if time else "-"


def count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def bar(done: int, total: int) -> str:
    """How far something has come."""
    full = done * BAR_CELLS // total
    return "█" * full + "░" * (BAR_CELLS - full)


def facts(rows: Iterable[tuple[str, Cell]]) -> RenderableType:
    """A name and a value a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value if isinstance(value, Text) else Text(plain(value)))
    return table


def listing(titles: Iterable[str], rows: Iterable[Iterable[Cell]]) -> RenderableType:
    """A line of titles, and one for each row."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    return table


def section(title: str, body: RenderableType) -> RenderableType:
    return Group(Text(""), Text(title, style="bold underline"), body)


def code(text: str, language: str) -> Syntax:
    """Highlighted, wrapped to the width that there is."""
    return Syntax(printable(text), language, theme=SYNTAX_THEME, word_wrap=True)


def as_json(value: Any) -> Syntax:
    return code(json.dumps(value, indent=2, ensure_ascii=False, default=str), "json")


def traceback(text: str) -> RenderableType:
    return code(text, "pytb")
