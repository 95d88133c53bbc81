"""Lists: a table on a terminal, plain lines with tabs elsewhere."""

import sys
from collections.abc import Iterable, Sequence

import click


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints the rows on standard output; what is None is left empty."""
    texts = [["" if value is None else str(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in texts:
            click.echo("\t".join(row))
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE)
    for number, column in enumerate(columns):
        # The first column names the row for other commands: it has to be whole to be copied.
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in texts:
        table.add_row(*map(escape, row))
    Console().print(table)
