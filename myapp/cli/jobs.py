"""`myapp enqueue`: a task by hand."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from myapp.registry import Features


@click.command()
@click.argument("task")
@click.option("--payload", default="{}", metavar="JSON", help="The task's payload.")
@click.pass_obj
def enqueue(flags: dict[str, Any], task: str, payload: str) -> None:
    """Queue TASK by its name and print the job's key."""
    from myapp.audit import Actor
    from myapp.cli.start import use
    from myapp.database.audit import ActorType
    from myapp.modules.job import JobModule

    async def queue_job(features: "Features") -> str:
        job = features.tasks.parse(task, payload)
        actor = Actor.at_terminal(ActorType.CLI)
        return await features.get(JobModule).jobs.enqueue(*job, actor)

    click.echo(use(flags, queue_job))
