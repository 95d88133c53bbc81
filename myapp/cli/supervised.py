"""`myapp supervised`, which only a supervisor starts."""

import socket

import click


@click.command
@click.pass_context
def supervised(context: click.Context) -> None:
    """One of WEB_CONCURRENCY processes. What it has to do comes over standard input."""
    try:
        line = socket.socket(fileno=0)
    except OSError:
        raise click.ClickException("supervised: set WEB_CONCURRENCY, which starts it") from None
    from myapp.runner import run_supervised

    context.exit(run_supervised(line))
