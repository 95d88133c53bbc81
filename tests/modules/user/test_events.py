"""What the users' streams are told of changes of their accounts."""

import json
from uuid import UUID

import pytest
from httpx import AsyncClient

from myapp.database.outbox import OutboxRow
from myapp.database.user import User
from myapp.enums import UserRole
from tests.conftest import Headers, SignIn


@pytest.fixture
async def ada(client: AsyncClient, sign_in: SignIn) -> tuple[Headers, UUID]:
    headers = sign_in("ada@example.com")
    answer = await client.get("/auth/me", headers=headers)
    return headers, UUID(answer.json()["data"]["id"])


@pytest.fixture
async def admin(client: AsyncClient, sign_in: SignIn) -> Headers:
    headers = sign_in("root@example.com")
    await User.create(email="root@example.com", email_key="root@example.com", role=UserRole.ADMIN)
    await client.get("/auth/me", headers=headers)
    return headers


async def told() -> list[tuple[str, UUID]]:
    return [(row.name, row.user_id) for row in await OutboxRow.all().order_by("id")]


async def test_of_a_change_in_the_same_transaction(
    client: AsyncClient, ada: tuple[Headers, UUID]
) -> None:
    headers, user_id = ada
    await client.put("/auth/me", headers=headers, json={"name": "Ada"})
    [row] = await OutboxRow.all()
    assert (row.name, row.user_id) == ("user.updated", user_id)
    assert json.loads(row.payload) == {
        "id": str(user_id),
        "email": "ada@example.com",
        "name": "Ada",
        "phone": None,
        "status": "active",
        "role": "user",
    }


async def test_of_nothing_that_was_refused(client: AsyncClient, ada: tuple[Headers, UUID]) -> None:
    await client.put("/auth/me", headers=ada[0], json={"name": ""})
    assert await told() == []


async def test_of_a_suspension_last(
    client: AsyncClient, ada: tuple[Headers, UUID], admin: Headers
) -> None:
    path = f"/admin/users/{ada[1]}"
    await client.patch(path, headers=admin, json={"status": "suspended"})
    await client.patch(path, headers=admin, json={"status": "suspended"})
    assert await told() == [("user.updated", ada[1]), ("user.suspended", ada[1])]
