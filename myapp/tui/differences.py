"""What became of a JSON value, line by line, as `diff` shows it."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from myapp.tui.wording import as_json

REMOVED, ADDED = ("-", "bold red"), ("+", "bold green")
SAME = ("", "dim")

SignedLine = tuple[tuple[str, str], Text]


def difference(before: Any, after: Any) -> RenderableType:
    """Highlighted JSON, in which the lines that are gone or new have a sign before them."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for (sign, style), line in compare(highlighted(before), highlighted(after)):
        line.stylize(style)
        table.add_row(Text(sign, style), line)
    return table


def compare(old: list[Text], new: list[Text]) -> Iterator[SignedLine]:
    matcher = SequenceMatcher(None, [bare(line) for line in old], [bare(line) for line in new])
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            yield from ((SAME, line) for line in new[new_start:new_end])
        else:
            yield from ((REMOVED, line) for line in old[old_start:old_end])
            yield from ((ADDED, line) for line in new[new_start:new_end])


def highlighted(value: Any) -> list[Text]:
    code = as_json(value)
    return list(code.highlight(code.code).split("\n", allow_blank=False))


def bare(line: Text) -> str:
    """Where only the comma differs, another line has come or gone, not this one."""
    return line.plain.rstrip(",")
