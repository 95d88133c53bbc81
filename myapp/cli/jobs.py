"""`myapp enqueue`: a task by hand."""

import asyncio
from typing import Any

import click


@click.command()
@click.argument("task")
@click.option("--payload", default="{}", metavar="JSON", help="The task's payload.")
@click.pass_obj
def enqueue(flags: dict[str, Any], task: str, payload: str) -> None:
    """Queue TASK by its name and print the job's key."""
    from myapp.cli.start import load
    from myapp.registry import build
    from myapp.resources import open_resources

    settings = load(flags)

    async def queue_job() -> str:
        async with open_resources(settings) as resources:
            job = build(resources).tasks.parse(task, payload)
            return await resources.jobs.enqueue(*job)

    click.echo(asyncio.run(queue_job()))
