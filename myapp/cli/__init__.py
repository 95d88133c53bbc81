"""The command line: flags and subcommands.

Nothing here costs what the command at hand does not need: each function imports what it uses, so
that `myapp --help` loads neither Firebase nor Quart.
"""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from myapp import __version__
from myapp.cli.admin import admin
from myapp.cli.api_keys import apikey
from myapp.cli.backup import backup, restore
from myapp.cli.dashboard import tui
from myapp.cli.database import makemigrations, migrate
from myapp.cli.describe import openapi, routes
from myapp.cli.doctor import doctor
from myapp.cli.jobs import enqueue
from myapp.cli.scaffold import new
from myapp.cli.supervised import supervised
from myapp.cli.sync import sync
from myapp.cli.tokens import token
from myapp.enums import Role
from myapp.errors import AppError, ConfigError, Invalid

ALL_ROLES = "all"
USAGE_STATUS = 2
FAILURE_STATUS = 1
INTERRUPTED_STATUS = 130
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # a closed pipe is click's


def parse_roles(_context: click.Context, _parameter: click.Parameter, value: Any) -> list[Role]:
    """`--role=api --role=worker` and `--role=api,worker` alike; none is all."""
    names = [name.strip() for text in value for name in text.split(",") if name.strip()]
    known = [*Role, ALL_ROLES]
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}")
    if ALL_ROLES in names or not names:
        return list(Role)
    return [role for role in Role if role in names]


class Commands(click.Group):
    """Ours, and one that is suggested to nobody: only a supervisor starts it."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return supervised if name == supervised.name else super().get_command(context, name)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    callback=parse_roles,
    metavar="ROLE",
    help="api, worker, scheduler, grpc or all; several by commas or by repeating.  [default: all]",
)
@click.option("--host", metavar="ADDRESS", help="Where HTTP and gRPC listen; overrides HOST.")
@click.option("--port", type=int, metavar="N", help="HTTP; overrides PORT.")
@click.option("--grpc-port", type=int, metavar="N", help="gRPC; overrides GRPC_PORT.")
@click.option("--health-port", type=int, metavar="N", help="/health and /ready for any role.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Overrides DATA_DIR.")
@click.option("--queues", metavar="NAMES", help="What a worker serves; overrides QUEUES.")
@click.version_option(__version__, message="myapp %(version)s")
@click.pass_context
def cli(context: click.Context, /, roles: list[Role], **flags: Any) -> None:
    """The whole backend: HTTP API, workers, scheduler and gRPC in one process.

    Without a command it runs the roles; without configuration on an embedded database and queue.
    Every flag overrides the environment variable of the same name.
    """
    context.obj = flags
    if context.invoked_subcommand is not None:
        return
    from myapp.config import load_settings

    settings = load_settings(**flags)
    if settings.web_concurrency > 1:
        from myapp.supervision.supervisor import supervise as run
    else:
        from myapp.runner import run
    context.exit(run(settings, roles))


COMMANDS = (
    *(migrate, makemigrations, sync, token, admin, apikey, enqueue),
    *(tui, doctor, backup, restore, routes, openapi, new),
)
for command in COMMANDS:
    cli.add_command(command)


def run_command_line(arguments: Sequence[str]) -> int:
    """Runs one command; returns its exit status. A failure is one line on standard error."""
    try:
        return int(cli.main(list(arguments), "myapp", standalone_mode=False) or 0)
    except click.ClickException as error:
        return report(error.format_message(), USAGE_STATUS)
    except ConfigError as error:
        return report(str(error), USAGE_STATUS)
    except Invalid as error:
        # What it names by field stood on the command line; a damaged backup, say, did not.
        return report(error.sentence, USAGE_STATUS if error.details else FAILURE_STATUS)
    except AppError as error:
        return report(error.sentence, FAILURE_STATUS)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        silence_output()
        return report(f"cannot write: {error.strerror}", FAILURE_STATUS)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED_STATUS


def silence_output() -> None:
    """What is left in the buffer cannot be written at the interpreter's end either."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report(message: str, status: int) -> int:
    click.echo(f"myapp: {message}", err=True)
    return status
