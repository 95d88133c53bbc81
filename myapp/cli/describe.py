"""`myapp routes` and `myapp openapi`: what the program has to offer, without starting it."""

import asyncio
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from quart import Quart
    from rich.table import Table

    from myapp.registry import Features
    from myapp.resources import Resources


PIPE_COLUMNS = 160


@click.command()
@click.pass_obj
def routes(flags: dict[str, Any]) -> None:
    """Show every HTTP route, task, cron and gRPC method."""
    from rich.console import Console

    from myapp.grpc.server import methods_of
    from myapp.grpc.services import build_services

    resources, app, features = describe(flags)
    # A pipe has no width, and what is cut off cannot be searched for.
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    console.print(table_of("HTTP", ("method", "path", "does"), http_routes(app)))
    tasks = [(task.name, task.queue, task.attempts) for task in features.tasks.tasks]
    console.print(table_of("Tasks", ("task", "queue", "attempts"), tasks))
    crons = [(cron.name, cron.schedule, cron.task.name) for cron in features.tasks.crons.values()]
    console.print(table_of("Crons (UTC)", ("cron", "schedule", "task"), crons))
    methods = [(name,) for name in sorted(methods_of(build_services(resources, features).all))]
    console.print(table_of("gRPC", ("method",), methods))


@click.command()
@click.option("--output", type=click.File("w"), default="-", help="Write to a file.")
@click.pass_obj
def openapi(flags: dict[str, Any], output: TextIO) -> None:
    """Print the OpenAPI document."""
    from myapp.openapi import openapi_document

    _, app, _ = describe(flags)
    click.echo(json.dumps(openapi_document(app), indent=2), file=output)


def describe(flags: dict[str, Any]) -> tuple["Resources", "Quart", "Features"]:
    """The application and its features, built over resources that are not open."""
    from myapp.app import create_app
    from myapp.cli.start import load
    from myapp.health import Health
    from myapp.registry import build
    from myapp.resources import closed_resources

    resources = closed_resources(load(flags))
    features = build(resources)
    app = create_app(resources.settings, features, Health({}, stop=asyncio.Event()))
    return resources, app, features


def http_routes(app: "Quart") -> list[tuple[str, str, str]]:
    """Method, path and the first line about it, by path."""
    return sorted(
        (method, path_of(rule.rule), summary(app.view_functions[rule.endpoint].__doc__))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


def path_of(rule: str) -> str:
    """`/users/{id}` for what Quart writes as `/users/<uuid:id>`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def summary(docstring: str | None) -> str:
    return (docstring or "").strip().partition("\n")[0]


def table_of(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "Table":
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(str, row))
    return table
