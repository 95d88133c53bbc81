"""`myapp sync`: users brought in line with Firebase Auth."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from myapp.modules.sync.change import Change

LINE_USERS = 1000  # elsewhere than on a terminal a line for so many

Say = Callable[[str], None]
Step = Callable[[int], None]


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what differs and change nothing.")
@click.pass_obj
def sync(flags: dict[str, Any], *, dry_run: bool) -> None:
    """Bring users in line with Firebase Auth.

    Creates who is missing, takes over emails, suspends who is disabled there and deletes who is
    gone. A sync that was broken off goes on where it was.
    """
    with progress() as (say, step):
        counts = run(flags, dry_run=dry_run, say=say, step=step)
    done = [f"{count} {name}" for name, count in sorted(counts.items()) if name != "seen"]
    verb = "would be: " if dry_run else ""
    click.echo(f"{counts.get('seen', 0)} seen; {verb}{', '.join(done) or 'nothing differs'}")


def run(flags: dict[str, Any], *, dry_run: bool, say: Say, step: Step) -> Mapping[str, int]:
    from myapp.cli.start import use
    from myapp.modules.sync import SyncModule

    def tell(change: "Change") -> None:
        say(f"{change.action.value}: {change.email or '(no email)'} {change.uid}")

    return use(
        flags,
        lambda features: features.get(SyncModule).sync.run(
            dry_run=dry_run, on_change=tell, on_step=step
        ),
    )


@contextmanager
def progress() -> Iterator[tuple[Say, Step]]:
    """A bar on a terminal, plain lines elsewhere."""
    if not sys.stdout.isatty():
        yield click.echo, count_in_lines()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.completed:.0f} users"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console()) as bar:
        task = bar.add_task("sync", total=None)  # Firebase does not say how many there are
        yield (
            lambda text: bar.console.print(escape(text)),
            lambda users: bar.advance(task, users),
        )


def count_in_lines() -> Step:
    seen = 0

    def step(users: int) -> None:
        nonlocal seen
        if (seen + users) // LINE_USERS > seen // LINE_USERS:
            click.echo(f"{seen + users} users looked at")
        seen += users

    return step
