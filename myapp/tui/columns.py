"""Columns that fit the width there is."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from myapp.tui.wording import Cell, plain

GAP = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A width in cells, or 0 for a share of what the others leave.

    A table that is narrower than `from_width` does not show the column.
    """

    title: str
    width: int = 0
    from_width: int = 0
    right: bool = False


def fit(columns: Sequence[Column], width: int) -> list[int]:
    """How wide each column is; 0 for one that is not shown."""
    shown = [column for column in columns if column.from_width <= width]
    shares = sum(column.width == 0 for column in shown)
    left = width - sum(column.width + GAP for column in shown)
    widths = []
    for column in columns:
        if column.from_width > width:
            widths.append(0)
        elif column.width:
            widths.append(column.width)
        else:
            share = max(left // shares, 1)
            widths.append(share)
            left, shares = left - share, shares - 1
    return widths


def line_of(cells: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int]) -> Text:
    """One line, each cell cut or padded to its width."""
    line = Text(no_wrap=True, end="")
    for cell, column, width in zip(cells, columns, widths, strict=True):
        if width == 0:
            continue
        text = cell.copy() if isinstance(cell, Text) else Text(plain(cell))
        text.truncate(width, overflow="ellipsis")
        text.align("right" if column.right else "left", width)
        line.append_text(text).append(" " * GAP)
    return line
