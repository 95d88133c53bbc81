"""Which rows of a list are meant: those under a mark, or all that match."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(slots=True)
class Selection(Generic[Row]):
    """Rows that are marked, by their keys, or `all_match`: also those that nobody has seen."""

    marks: dict[str, Row] = field(default_factory=dict)
    all_match: bool = False

    def __bool__(self) -> bool:
        return self.all_match or bool(self.marks)

    def has(self, key: str) -> bool:
        return self.all_match or key in self.marks

    def turn(self, key: str, row: Row) -> None:
        """Marks this one, or takes its mark away."""
        if self.marks.pop(key, None) is None:
            self.marks[key] = row
        self.all_match = False

    def turn_all(self) -> None:
        self.all_match = not self.all_match
        self.marks.clear()

    def clear(self) -> None:
        self.all_match = False
        self.marks.clear()

    def renew(self, rows: Mapping[str, Row]) -> None:
        """The marked rows as they are now, as far as they are among these."""
        self.marks.update({key: rows[key] for key in self.marks.keys() & rows.keys()})

    def __str__(self) -> str:
        """As the line under the list says it; empty without a mark."""
        if self.all_match:
            return "all that match are marked"
        return f"{len(self.marks):,} marked" if self.marks else ""
