"""`myapp migrate` and `myapp makemigrations`."""

import asyncio

import click


@click.command()
@click.option("--check", is_flag=True, help="Apply nothing; exit 1 when any is pending.")
@click.pass_context
def migrate(context: click.Context, /, *, check: bool) -> None:
    """Apply the migrations, one runner at a time."""
    from myapp.cli.start import load
    from myapp.data_folder import refuse_half_restored
    from myapp.database.connection import open_database
    from myapp.database.migrations import apply, pending

    settings = load(context.obj)
    refuse_half_restored(settings.data_dir)  # which moves its own database there in a moment

    async def find_pending() -> list[str]:
        async with open_database(settings) as database:
            return await pending(database)

    names = asyncio.run(find_pending() if check else apply(settings))
    for name in names:
        click.echo(f"{'pending' if check else 'applied'}: {name}")
    if not names:
        click.echo("nothing to migrate")
    context.exit(1 if check and names else 0)


@click.command()
@click.argument("name")
def makemigrations(name: str) -> None:
    """Write the next migration for SQLite, PostgreSQL and MySQL together.

    Works offline, from the models: all three files or none.
    """
    from myapp.database.migration_writer import make

    written = asyncio.run(make(name))
    for path in written.files:
        click.echo(f"wrote {path}")
    for task in written.by_hand:
        click.echo(f"by hand: {task}", err=True)
    if not written.files:
        click.echo("the models have not changed")
