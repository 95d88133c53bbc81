"""Administrators and services, for tests of what they may do."""

from typing import NamedTuple
from uuid import UUID

from httpx import AsyncClient

from myapp.audit import SYSTEM
from myapp.database.api_key import Scope
from myapp.database.user import User
from myapp.enums import UserRole
from myapp.modules.api_key import ApiKeyModule
from myapp.modules.api_key.dtos import NewApiKey
from myapp.registry import Features
from tests.conftest import Headers, SignIn


class Person(NamedTuple):
    """Somebody who has signed in."""

    id: UUID
    headers: Headers


async def enter(client: AsyncClient, sign_in: SignIn, email: str) -> Person:
    """A user, as the first request of theirs makes one."""
    headers = sign_in(email)
    answer = await client.get("/auth/me", headers=headers)
    return Person(UUID(answer.json()["data"]["id"]), headers)


async def enter_admin(
    client: AsyncClient, sign_in: SignIn, email: str = "root@example.com"
) -> Person:
    """An administrator: the account was prepared, as `myapp admin grant` does it."""
    await User.create(email=email, email_key=email, role=UserRole.ADMIN)
    return await enter(client, sign_in, email)


async def issue_key(features: Features, *scopes: Scope) -> Headers:
    """The headers of a service with a key of these scopes."""
    keys = features.get(ApiKeyModule).administration
    issued = await keys.create(NewApiKey(name="service", scopes=list(scopes)), SYSTEM)
    return {"X-API-Key": issued.text}
