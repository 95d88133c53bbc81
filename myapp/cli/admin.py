"""`myapp admin`: administrators, by their email."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from myapp.audit import Actor
    from myapp.modules.user.usecases import GrantUsecase

Result = TypeVar("Result")

COLUMNS = ("email", "name", "status", "id")


@click.group()
def admin() -> None:
    """Grant and revoke the role of an administrator."""


@admin.command()
@click.argument("email")
@click.pass_obj
def grant(flags: dict[str, Any], email: str) -> None:
    """Make the user with this verified EMAIL an administrator.

    For an unknown email an account is prepared, which its owner joins at the first sign-in.
    """
    from myapp.modules.user.validators import EMAIL_RULES

    asyncio.run(EMAIL_RULES.check(email))  # before anything is opened
    user = run(flags, lambda grants, actor: grants.grant(email, actor))
    click.echo(f"{user.email} is an administrator")


@admin.command()
@click.argument("email")
@click.pass_obj
def revoke(flags: dict[str, Any], email: str) -> None:
    """Make the administrator with this EMAIL a user again."""
    for user in run(flags, lambda grants, actor: grants.revoke(email, actor)):
        click.echo(f"{user.email} is no administrator any more")


@admin.command("list")
@click.pass_obj
def list_administrators(flags: dict[str, Any]) -> None:
    """Show all administrators."""
    from myapp.cli.table import print_rows

    users = run(flags, lambda grants, _actor: grants.find())
    print_rows(COLUMNS, ((user.email, user.name, user.status, user.id) for user in users))


def run(
    flags: dict[str, Any], use: Callable[["GrantUsecase", "Actor"], Awaitable[Result]]
) -> Result:
    """One use of the usecase, by whoever sits at this terminal."""
    from myapp.audit import Actor
    from myapp.cli.start import use as use_features
    from myapp.database.audit import ActorType
    from myapp.modules.user import UserModule

    actor = Actor.at_terminal(ActorType.CLI)
    return use_features(flags, lambda features: use(features.get(UserModule).grants, actor))
