"""What was measured, as a table for the terminal, and as files: JSON and Markdown."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import look_at_machine
from benchmarks.measurement import Rounds, show

RESULTS = Path(__file__).parent / "results"
WIDTH = 140  # of what is printed into a file or a pipe


@dataclass(frozen=True)
class Target:
    """What was to be reached, and what was."""

    text: str
    measured: float
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    @property
    def met(self) -> bool:
        high_enough = self.at_least is None or self.measured >= self.at_least
        return high_enough and (self.at_most is None or self.measured <= self.at_most)

    @property
    def row(self) -> list[str]:
        bounds = {"at least": self.at_least, "at most": self.at_most}
        wanted = [f"{word} {show(bound)}" for word, bound in bounds.items() if bound is not None]
        measured = f"{show(self.measured)} {self.unit}".strip()
        return [self.text, " and ".join(wanted), measured, "yes" if self.met else "**no**"]


@dataclass(frozen=True)
class Grid:
    """A table, for people."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Report:
    """Make one before anything is measured: it looks at the machine, then is filled and written."""

    def __init__(self, name: str, title: str, *, packages: Sequence[str] = ()) -> None:
        """`name` is that of the files, `packages` those whose versions matter beside our own."""
        self.name = name
        self.title = title
        self.machine = look_at_machine(packages)
        self.command = name_command(sys.argv)
        self.began_at = datetime.now(UTC)
        self._grids: list[Grid] = []
        self._targets: list[Target] = []
        self._notes: list[str] = []
        self._values: dict[str, Any] = {}

    def add_table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        """Cells are shown as they are, numbers with three digits or more."""
        cells = [[show_cell(cell) for cell in row] for row in rows]
        self._grids.append(Grid(title, columns, cells))

    def add_rounds(self, title: str, rounds: Rounds, *, ratio_to: str, of: str) -> None:
        """Each contender's quantities, and the ratio of the quantity `of` to one contender's."""
        body = [
            [
                name,
                *(str(rounds.spread(name, quantity)) for quantity in rounds.quantities),
                str(rounds.ratio(name, ratio_to, of)),
            ]
            for name in rounds.contenders
        ]
        columns = ["median (lowest..highest)", *rounds.quantities, f"{of}: times {ratio_to}"]
        self.add_table(title, columns, body)
        self.add_values(title, tabulate(rounds))

    def add_values(self, name: str, values: Any) -> None:
        """Numbers for programs: in the JSON file alone."""
        self._values[name] = values

    def add_target(
        self,
        text: str,
        measured: float,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        unit: str = "",
    ) -> None:
        """A target, with the unit of what was measured."""
        self._targets.append(Target(text, measured, at_least, at_most, unit))

    def add_note(self, text: str) -> None:
        """A sentence that a reader of the numbers has to know."""
        self._notes.append(text)

    def finish(self, folder: Path = RESULTS) -> None:
        """Prints everything and writes `NAME.json` and `NAME.md`, over older ones."""
        self._print(Console() if sys.stdout.isatty() else Console(width=WIDTH))
        folder.mkdir(exist_ok=True)
        (folder / f"{self.name}.json").write_text(json.dumps(self.as_dict(), indent=2) + "\n")
        (folder / f"{self.name}.md").write_text(self.as_markdown())

    @property
    def grids(self) -> list[Grid]:
        """All tables; that of the targets is the last, where there are any."""
        if not self._targets:
            return self._grids
        targets = Grid(
            "Targets", ["target", "wanted", "measured", "met"], [one.row for one in self._targets]
        )
        return [*self._grids, targets]

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "date": self.began_at.isoformat(timespec="seconds"),
            "command": self.command,
            "machine": asdict(self.machine),
            "measured": self._values,
            "targets": [{**asdict(one), "met": one.met} for one in self._targets],
            "notes": self._notes,
        }

    def as_markdown(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.machine.packages.items())
        lines = [
            f"# {self.title}",
            "",
            f"`{self.command}`, {self.began_at:%Y-%m-%d %H:%M} UTC, on {self.machine.describe()}; "
            f"{packages}.",
        ]
        for grid in self.grids:
            lines += ["", f"## {grid.title}", "", *markdown_rows(grid)]
        for note in self._notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"

    def _print(self, console: Console) -> None:
        console.print(self.title, self.machine.describe(), sep="\n", markup=False)
        for grid in self.grids:
            table = Table(title=grid.title, title_justify="left")
            for number, column in enumerate(grid.columns):
                table.add_column(column, justify="right" if number else "left")
            for row in grid.rows:
                table.add_row(*(cell.strip("*") for cell in row))
            console.print(table)
        for note in self._notes:
            console.print(note, markup=False)


def show_cell(cell: object) -> str:
    return show(cell) if isinstance(cell, (int, float)) else str(cell)


def markdown_rows(grid: Grid) -> list[str]:
    rule = ["---", *("---:" for _ in grid.columns[1:])]
    rows = [list(grid.columns), rule, *map(list, grid.rows)]
    return ["| " + " | ".join(row) + " |" for row in rows]


def tabulate(rounds: Rounds) -> Mapping[str, Mapping[str, list[float]]]:
    """All values, by contender and quantity."""
    return {
        name: {quantity: rounds.values(name, quantity) for quantity in rounds.quantities}
        for name in rounds.contenders
    }


def name_command(arguments: Sequence[str]) -> str:
    """What to type for the same again."""
    file = Path(arguments[0])
    name = file.parent.name if file.stem == "__main__" else file.stem
    return shlex.join(["python", "-m", f"benchmarks.{name}", *arguments[1:]])
