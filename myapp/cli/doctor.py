"""`myapp doctor`: is everything there, and fit for what is ahead?"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from myapp import __version__

if TYPE_CHECKING:
    from myapp.doctor import Finding

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(context: click.Context, /, *, as_json: bool) -> None:
    """Check configuration, database, Redis, storage, Firebase and this machine.

    Says what is not fit for production, and what has to change to run on several machines. Exits
    with 1 when a check failed; warnings do not fail. Changes nothing.
    """
    import uvloop

    from myapp.config import load_settings
    from myapp.doctor import Status, check_up, worst
    from myapp.logger import configure_logging

    settings = load_settings(**context.obj)
    # What goes wrong here is the answer, and no line of a log beside it.
    configure_logging("critical", "console")

    async def work() -> Status:
        with waiting(silent=as_json):
            findings = await check_up(settings)
        # Before the loop ends: something that hangs may keep it from that for a while.
        print_json(findings) if as_json else print_findings(findings)
        sys.stdout.flush()
        return worst(findings)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(work())
    context.exit(1 if status is Status.FAILED else 0)


@contextmanager
def waiting(*, silent: bool) -> Iterator[None]:
    """Says on a terminal that it works; elsewhere nothing."""
    if silent or not sys.stdout.isatty():
        yield
        return
    from rich.console import Console

    with Console().status("Looking at everything at once"):
        yield


def print_json(findings: Sequence["Finding"]) -> None:
    from myapp.doctor import worst

    report: dict[str, Any] = {
        "version": __version__,
        "status": worst(findings),
        "findings": [asdict(finding) for finding in findings],
    }
    click.echo(json.dumps(report, indent=2))


def print_findings(findings: Sequence["Finding"]) -> None:
    """Lines of status, name, message and advice, with tabs; a table on a terminal."""
    if not sys.stdout.isatty():
        for finding in findings:
            parts = [finding.status, finding.name, finding.message, finding.advice or ""]
            click.echo("\t".join(parts))
        return
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        status = Text(finding.status, style=COLOURS[finding.status])
        advice = [Text(f"→ {finding.advice}", style="dim")] if finding.advice else []
        table.add_row(status, finding.name, Group(Text(finding.message), *advice))
    console = Console()
    console.print(table)
    console.print(summary(findings), highlight=False)


def summary(findings: Sequence["Finding"]) -> str:
    counts = {status: sum(each.status == status for each in findings) for status in COLOURS}
    return ", ".join(f"{count} {status}" for status, count in counts.items())
