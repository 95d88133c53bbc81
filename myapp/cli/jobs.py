"""`myapp enqueue`: a task by hand."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from myapp.queue.tasks import Payload, Task


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

    job = parse(flags, task, payload)
    actor = Actor.at_terminal(ActorType.CLI)
    click.echo(use(flags, lambda features: features.get(JobModule).jobs.enqueue(*job, actor)))


def parse(flags: dict[str, Any], task: str, payload: str) -> "tuple[Task[Any], Payload]":
    """The job, before anything is opened. Raises UsageError and Invalid."""
    from myapp.cli.start import load
    from myapp.errors import NotFound
    from myapp.registry import build
    from myapp.resources import closed_resources

    try:
        return build(closed_resources(load(flags))).tasks.parse(task, payload)
    except NotFound as error:
        raise click.UsageError(str(error)) from None
