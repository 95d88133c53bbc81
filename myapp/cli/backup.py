"""`myapp backup` and `myapp restore`: the embedded data folder, in one file."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from myapp.backup import Progress

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.pass_obj
def backup(flags: dict[str, Any], file: Path) -> None:
    """Write the embedded data folder into FILE, also while programs use it.

    Database, queue, files and keys, all of one moment. FILE must not exist; only its owner may
    read it: with its keys one can sign in as anybody.
    """
    from myapp.backup import check_coverage, save
    from myapp.cli.start import load

    settings = load(flags)
    for sentence in check_coverage(settings):
        click.echo(f"myapp: {sentence}", err=True)
    with showing() as progress:
        written = asyncio.run(save(settings, file, progress))
    click.echo(f"{file}: {written.members} members, {megabytes(written.size)}")


@click.command()
@click.argument("file", type=FILE)
@click.pass_obj
def restore(flags: dict[str, Any], file: Path) -> None:
    """Make DATA_DIR from the backup in FILE. It must be absent or empty.

    Every checksum is verified first; then the folder is put in place in one step.
    """
    from myapp.backup import check_coverage
    from myapp.backup import restore as put_back
    from myapp.cli.start import load

    settings = load(flags)
    for sentence in check_coverage(settings):
        click.echo(f"myapp: {sentence}", err=True)
    with showing() as progress:
        header = asyncio.run(put_back(settings, file, progress))
    click.echo(
        f"{settings.data_dir}: as it was at {header.created_at:%Y-%m-%d %H:%M:%S} UTC,"
        f" by myapp {header.version}"
    )


@contextmanager
def showing() -> Iterator["Progress"]:
    """A bar on a terminal, a line for each part elsewhere."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:8}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar:
        yield Bars(bar)


class Lines:
    """A line as each part begins."""

    def begin(self, what: str, size: int) -> None:
        click.echo(f"{what}: {megabytes(size)}")

    def advance(self, size: int) -> None:
        pass


class Bars:
    """A bar for each part."""

    def __init__(self, bar: "Bar") -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def begin(self, what: str, size: int) -> None:
        self._task = self._bar.add_task(what, total=size)

    def advance(self, size: int) -> None:
        if self._task is not None:
            self._bar.advance(self._task, size)


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
