"""`myapp apikey`: keys by which other services call the API."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click

if TYPE_CHECKING:
    from myapp.audit import Actor
    from myapp.database.api_key import ApiKey, Scope
    from myapp.modules.api_key.dtos import ApiKeyResponse
    from myapp.modules.api_key.usecases import ApiKeyUsecase, Issued

Result = TypeVar("Result")

COLUMNS = ("id", "name", "prefix", "scopes", "state", "last used")
LONGEST_DAYS = 36_500
A_PAGE = 100


@click.group()
def apikey() -> None:
    """Create, list, revoke and rotate API keys."""


@apikey.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="Such as metrics:read.")
@click.option(
    "--expires-in-days", type=click.IntRange(1, LONGEST_DAYS), metavar="N", help="Default: never."
)
@click.pass_obj
def create(
    flags: dict[str, Any], name: str, scopes: tuple[str, ...], expires_in_days: int | None
) -> None:
    """Create a key for the service NAME and print it, this once, alone on standard output."""
    from myapp.modules.api_key.dtos import NewApiKey
    from myapp.modules.api_key.validators import NEW_KEY_RULES

    days = expires_in_days
    new = NewApiKey(
        name=name,
        scopes=parse_scopes(scopes),
        expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
    )
    asyncio.run(NEW_KEY_RULES.check(new))  # before anything is opened
    show(run(flags, lambda keys, actor: keys.create(new, actor)))


@apikey.command("list")
@click.pass_obj
def list_keys(flags: dict[str, Any]) -> None:
    """Show all keys, the newest first, without the keys themselves."""
    from myapp.cli.table import print_rows
    from myapp.modules.api_key.dtos import ApiKeyResponse

    keys = run(flags, find_all)
    print_rows(COLUMNS, (row_of(ApiKeyResponse.of(key)) for key in keys))


@apikey.command()
@click.argument("key_id", metavar="ID", type=click.UUID)
@click.pass_obj
def revoke(flags: dict[str, Any], key_id: UUID) -> None:
    """Revoke the key with this ID, at once and for good."""
    row = run(flags, lambda keys, actor: keys.revoke(key_id, actor))
    click.echo(f"{row.name} is revoked", err=True)


@apikey.command()
@click.argument("key_id", metavar="ID", type=click.UUID)
@click.pass_obj
def rotate(flags: dict[str, Any], key_id: UUID) -> None:
    """Replace the key with this ID and print the new one; the old one works 10 minutes more."""
    from myapp.modules.api_key.dtos import KeyRotation

    show(run(flags, lambda keys, actor: keys.rotate(key_id, KeyRotation(), actor)))


def parse_scopes(names: tuple[str, ...]) -> "list[Scope]":
    from myapp.database.api_key import Scope

    known = ", ".join(Scope)
    if unknown := [name for name in names if name not in list(Scope)]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {known}", param_hint="--scope")
    return [Scope(name) for name in names]


def show(issued: "Issued") -> None:
    """The key alone on standard output, for a pipe or a file; the rest is for people."""
    click.echo(issued.text)
    click.echo(f"{issued.row.name}: id {issued.row.id}; the key is shown this once", err=True)


def row_of(key: "ApiKeyResponse") -> tuple[object, ...]:
    used = to_the_minute(key.last_used_at) if key.last_used_at else None
    return (key.id, key.name, key.prefix, ",".join(key.scopes), state_of(key), used)


def state_of(key: "ApiKeyResponse") -> str:
    if key.revoked_at is not None:
        return f"revoked {to_the_minute(key.revoked_at)}"
    if key.expires_at is None:
        return "good"
    verb = "expires" if key.expires_at > datetime.now(UTC) else "expired"
    return f"{verb} {to_the_minute(key.expires_at)}"


def to_the_minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


async def find_all(keys: "ApiKeyUsecase", _actor: "Actor") -> "list[ApiKey]":
    from myapp.modules.api_key.dtos import ApiKeyQuery

    found: list[ApiKey] = []
    page = 1
    while rows := (await keys.find(ApiKeyQuery(page=page, per_page=A_PAGE))).rows:
        found += rows
        page += 1
    return found


def run(
    flags: dict[str, Any], use: Callable[["ApiKeyUsecase", "Actor"], Awaitable[Result]]
) -> Result:
    """One use of the usecase, by whoever sits at this terminal."""
    from myapp.audit import Actor
    from myapp.cli.start import use as use_features
    from myapp.database.audit import ActorType
    from myapp.modules.api_key import ApiKeyModule

    actor = Actor.at_terminal(ActorType.CLI)
    return use_features(
        flags, lambda features: use(features.get(ApiKeyModule).administration, actor)
    )
