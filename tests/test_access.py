"""What nobody may reach without the right to it: every route of the OpenAPI document is tried.

A new route is covered by itself. One that takes an id answers 404 to a user who gives another
user's. Such an object is made by its own POST, with the document's example; where users have none
that takes JSON, a line in OBJECTS makes it.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from httpx import AsyncClient

from myapp.database.api_key import Scope
from myapp.database.notification import Notification
from myapp.registry import Features
from tests.conftest import Headers, SignIn
from tests.support.people import Person, enter, enter_admin, issue_key

METHODS = {"get", "put", "post", "patch", "delete"}
PARAMETER = re.compile(r"\{[^}]+\}")

# Paths with an id that are for other users too, and why.
SHARED = {
    "/users/{user_id}": "the public profile",
    "/storage/{key}": "whoever holds the signed URL",
}
Make = Callable[[AsyncClient, Person], Awaitable[str]]


async def make_file(client: AsyncClient, owner: Person) -> str:
    answer = await client.post("/files", headers=owner.headers, files={"file": b"hello"})
    return str(answer.json()["data"]["id"])


async def make_notification(_client: AsyncClient, owner: Person) -> str:
    made = await Notification.create(user_id=owner.id, title="Hello", body="It works", data={})
    return str(made.id)


# By their paths: makes an object of that person's and returns its id.
OBJECTS: dict[str, Make] = {"/files": make_file, "/notifications": make_notification}


class Route(NamedTuple):
    method: str
    path: str
    for_users: bool
    example: Any = None

    @property
    def collection(self) -> str:
        """`/devices` of `/devices/{device_id}`."""
        return self.path.partition("/{")[0]

    def with_id(self, object_id: object) -> str:
        return PARAMETER.sub(str(object_id), self.path)


@pytest.fixture
async def routes(client: AsyncClient) -> list[Route]:
    document = (await client.get("/openapi.json")).json()
    return list(routes_of(document))


def routes_of(document: dict[str, Any]) -> Iterator[Route]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in METHODS:
                security = operation.get("security", [])
                for_users = {"bearer": []} in security
                body = operation.get("requestBody", {})
                example = body.get("content", {}).get("application/json", {}).get("example")
                yield Route(method.upper(), path, for_users, example)


@pytest.fixture
async def services(features: Features) -> Headers:
    """A key with every scope there is."""
    return await issue_key(features, *Scope)


class TestAdministration:
    @pytest.fixture
    def administrative(self, routes: list[Route]) -> list[Route]:
        found = [route for route in routes if route.path.startswith("/admin/")]
        assert len(found) >= 10
        return found

    async def test_is_closed_to_who_shows_no_credentials(
        self, client: AsyncClient, administrative: list[Route]
    ) -> None:
        for route in administrative:
            answer = await client.request(route.method, route.with_id(uuid4()))
            assert answer.status_code == 401, route
            assert answer.json()["code"] == "unauthenticated"
            assert "WWW-Authenticate" in answer.headers

    async def test_is_closed_to_users(
        self, client: AsyncClient, administrative: list[Route], sign_in: SignIn
    ) -> None:
        eve = await enter(client, sign_in, "eve@example.com")
        for route in administrative:
            answer = await client.request(route.method, route.with_id(eve.id), headers=eve.headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), route

    async def test_is_closed_to_keys_whatever_their_scopes(
        self, client: AsyncClient, administrative: list[Route], services: Headers
    ) -> None:
        for route in administrative:
            answer = await client.request(route.method, route.with_id(uuid4()), headers=services)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), route

    async def test_is_open_to_administrators(
        self, client: AsyncClient, administrative: list[Route], sign_in: SignIn
    ) -> None:
        """Else the tests above might see a wall where there is no door."""
        root = await enter_admin(client, sign_in)
        readable = [r for r in administrative if r.method == "GET" and "{" not in r.path]
        for route in readable:
            if not route.path.endswith("/events"):  # a stream, which does not end
                answer = await client.get(route.path, headers=root.headers)
                assert answer.status_code == 200, route

    async def test_names_its_credentials_in_the_document(self, administrative: list[Route]) -> None:
        assert all(route.for_users for route in administrative)


class TestSomebodyElsesId:
    async def test_opens_nothing(
        self, client: AsyncClient, routes: list[Route], sign_in: SignIn
    ) -> None:
        owner = await enter(client, sign_in, "owner@example.com")
        eve = await enter(client, sign_in, "eve@example.com")
        for route in routes:
            if "{" not in route.path or route.path in SHARED or route.path.startswith("/admin/"):
                continue
            object_id = await make_object(route.collection, routes, client, owner)
            answer = await client.request(
                route.method, route.with_id(object_id), headers=eve.headers, json=route.example
            )
            assert answer.status_code == 404, route

    async def test_shows_no_more_than_the_public_profile(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        owner = await enter(client, sign_in, "owner@example.com")
        eve = await enter(client, sign_in, "eve@example.com")
        answer = await client.get(f"/users/{owner.id}", headers=eve.headers)
        assert set(answer.json()["data"]) == {"id", "name", "avatar_url"}

    async def test_is_not_taken_from_a_body_or_a_query(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        owner = await enter(client, sign_in, "owner@example.com")
        eve = await enter(client, sign_in, "eve@example.com")
        body = {"name": "Hijacked", "id": str(owner.id)}
        answer = await client.put("/auth/me", headers=eve.headers, json=body)
        assert answer.status_code == 400
        await client.put(f"/auth/me?user_id={owner.id}", headers=eve.headers, json={"name": "Eve"})
        me = (await client.get("/auth/me", headers=owner.headers)).json()["data"]
        assert me["name"] != "Eve"


async def make_object(
    collection: str, routes: list[Route], client: AsyncClient, owner: Person
) -> str:
    if collection in OBJECTS:
        return await OBJECTS[collection](client, owner)
    [post] = [route for route in routes if (route.method, route.path) == ("POST", collection)]
    answer = await client.post(collection, headers=owner.headers, json=post.example)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])
