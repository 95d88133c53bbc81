"""`myapp tui`: the terminal dashboard."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from myapp.config import Settings

FASTEST, SLOWEST = 0.2, 3600.0
LINES_KEPT = 200
LEAVE_SECONDS = 15.0  # more than what is asked then takes to end


@click.command()
@click.option("--readonly", is_flag=True, help="Show everything and change nothing.")
@click.option(
    "--refresh",
    type=click.FloatRange(FASTEST, SLOWEST),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to read anew what is on the screen.",
)
@click.pass_obj
def tui(flags: dict[str, Any], *, readonly: bool, refresh: float) -> None:
    """Watch the system and act on it, in this terminal; also beside a server that runs."""
    if not is_terminal():
        raise click.ClickException("tui: this is no terminal; run it where somebody looks at it")
    from myapp.config import load_settings
    from myapp.logger import LastLines, configure_logging

    settings = load_settings(**flags)
    said = LastLines(LINES_KEPT)
    configure_logging("error", "console", file=said)  # outages are on the screen
    try:
        asyncio.run(run(settings, readonly=readonly, refresh=refresh))
    finally:
        sys.stderr.write(said.text())


def is_terminal() -> bool:
    """Whether keys come from one and what is drawn goes to one, which Textual does by stderr."""
    ends = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    return os.environ.get("TERM") != "dumb" and all(end and end.isatty() for end in ends)


async def run(settings: "Settings", *, readonly: bool, refresh: float) -> None:
    from myapp.registry import build
    from myapp.resources import open_resources
    from myapp.tui.app import Dashboard
    from myapp.tui.desk import Desk

    async with open_resources(settings, outside=False) as resources:
        desk = Desk(
            features=build(resources),
            connected_to=describe(settings, resources.database.dialect),
            checks=resources.checks(),
            readonly=readonly,
            refresh=refresh,
        )
        app = Dashboard(desk)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Without this the terminal would be left as the dashboard needs it.
            loop.add_signal_handler(number, leave, app.exit)
        await app.run_async()


def leave(ask: Callable[[], None], *, within: float = LEAVE_SECONDS) -> None:
    """Asks for the end, and ends the process with 1 where nothing has come of it `within` seconds.

    Textual's thread that writes dies of a terminal that is gone. Whoever draws more than its queue
    takes then waits for ever, and the event loop stands still.
    """
    last_resort = threading.Timer(within, os._exit, (1,))
    last_resort.daemon = True
    last_resort.start()
    ask()


def describe(settings: "Settings", dialect: str) -> str:
    """What it is connected to, without credentials."""
    from urllib.parse import urlsplit

    def place(url: str | None, embedded: str) -> str:
        if url is None:
            return f"{embedded} in {settings.data_dir}"
        parts = urlsplit(url)
        return f"{parts.hostname or ''}{parts.path}"

    database = settings.database_url.get_secret_value() if settings.database_url else None
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    return f"{dialect} {place(database, 'file')} | redis {place(redis, 'embedded')}"
