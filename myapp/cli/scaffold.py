"""`myapp new`: a feature to begin with."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from myapp.scaffold.names import Names
    from myapp.scaffold.writing import Written

NEXT = """
It is migrated at the next start, or by `myapp migrate` on a database of yours.
Run `make check test`, start it, and see {path} on /docs.
Then make it yours: docs/adding-a-feature.md goes through it file by file.
"""


@click.command()
@click.argument("name")
@click.option("--plural", metavar="NAMES", help="Several of them, where English is irregular.")
@click.pass_obj
def new(flags: dict[str, Any], name: str, plural: str | None) -> None:
    """Write a new feature: its model, migration, routes, rules, task and tests.

    NAME is one of them in snake_case, such as invoice or line_item. All files are written or
    none, and the feature is registered and passes its tests as it comes out.
    """
    from myapp.scaffold.names import Names
    from myapp.scaffold.refusal import Refused

    try:
        names = Names.parse(name, many=plural)
        written = write(flags, names)
    except Refused as error:
        raise click.UsageError(str(error)) from None
    for path in written.new:
        click.echo(f"wrote {path}")
    for path in written.changed:
        click.echo(f"changed {path}")
    click.echo(NEXT.format(path=f"/{names.placeholders['path']}").strip())


def write(flags: dict[str, Any], names: "Names") -> "Written":
    from myapp.cli.describe import describe
    from myapp.scaffold.clashes import check_free, check_migrated
    from myapp.scaffold.rendering import check_distinct
    from myapp.scaffold.writing import check_tools, find_checkout, write_feature

    root = find_checkout()
    _, app, features = describe(flags)
    check_free(names, root, app=app, tasks=[task.name for task in features.tasks.tasks])
    check_distinct(names)
    check_tools()  # not before: another name is to be thought of first
    asyncio.run(check_migrated(root))
    return write_feature(names, root)
