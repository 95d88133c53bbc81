"""Sending events over HTTP."""

import json
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from myapp.database.api_key import Scope
from myapp.database.audit import AuditRecord
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.events import RESERVED_TYPES
from myapp.registry import Features
from myapp.resources import Resources
from myapp.sse.keys import Key
from tests.conftest import Headers, SignIn
from tests.support.people import Person, enter, enter_admin, issue_key

HELLO = {"type": "test.hello", "data": {"text": "Hello"}}


@pytest.fixture
async def service(features: Features) -> Headers:
    return await issue_key(features, Scope.EVENTS_PUBLISH)


@pytest.fixture
async def ada(client: AsyncClient, sign_in: SignIn) -> Person:
    return await enter(client, sign_in, "ada@example.com")


async def history(resources: Resources, key: str) -> list[Any]:
    return [fields for _, fields in await resources.redis.xrange(key)]


class TestWho:
    async def test_a_service_with_the_scope_may(
        self, client: AsyncClient, service: Headers
    ) -> None:
        answer = await client.post("/events", json=HELLO, headers=service)
        assert answer.status_code == 202
        assert answer.json()["data"]["id"]
        assert not await AuditRecord.filter(action="event.sent").exists()

    async def test_an_administrator_may_and_it_is_recorded(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        admin = await enter_admin(client, sign_in)
        answer = await client.post("/events", json=HELLO, headers=admin.headers)
        assert answer.status_code == 202
        record = await AuditRecord.get(action="event.sent")
        assert (record.actor_type, record.actor_id) == ("user", str(admin.id))

    async def test_a_user_may_not(self, client: AsyncClient, ada: Person) -> None:
        answer = await client.post("/events", json=HELLO, headers=ada.headers)
        assert answer.status_code == 403

    async def test_a_service_without_the_scope_may_not(
        self, client: AsyncClient, features: Features
    ) -> None:
        other = await issue_key(features, Scope.ACCOUNTS_READ)
        assert (await client.post("/events", json=HELLO, headers=other)).status_code == 403

    async def test_a_stranger_is_unauthenticated(self, client: AsyncClient) -> None:
        assert (await client.post("/events", json=HELLO)).status_code == 401


class TestWhat:
    async def test_an_event_for_everybody_goes_there(
        self, client: AsyncClient, service: Headers, resources: Resources
    ) -> None:
        await client.post("/events", json=HELLO, headers=service)
        (event,) = await history(resources, Key.ALL)
        assert (event[b"type"], event[b"data"]) == (b"test.hello", b'{"text":"Hello"}')

    async def test_an_event_for_one_user_goes_nowhere_else(
        self, client: AsyncClient, service: Headers, resources: Resources, ada: Person
    ) -> None:
        event = {**HELLO, "user_id": str(ada.id)}
        answer = await client.post("/events", json=event, headers=service)
        assert answer.status_code == 202
        assert len(await history(resources, Key.USER % ada.id)) == 1
        assert await history(resources, Key.ALL) == []

    async def test_an_unknown_user_is_not_found(
        self, client: AsyncClient, service: Headers
    ) -> None:
        event = {**HELLO, "user_id": str(uuid4())}
        assert (await client.post("/events", json=event, headers=service)).status_code == 404

    async def test_a_deleted_user_is_not_found(
        self, client: AsyncClient, service: Headers, resources: Resources, ada: Person
    ) -> None:
        await User.filter(id=ada.id).update(status=UserStatus.DELETED)
        await resources.accounts.announce(ada.id)
        event = {**HELLO, "user_id": str(ada.id)}
        assert (await client.post("/events", json=event, headers=service)).status_code == 404

    @pytest.mark.parametrize("kind", sorted(RESERVED_TYPES))
    async def test_what_the_system_says_nobody_else_does(
        self, client: AsyncClient, service: Headers, kind: str
    ) -> None:
        answer = await client.post("/events", json={"type": kind, "data": {}}, headers=service)
        assert answer.status_code == 400
        assert answer.json()["details"][0]["field"] == "type"

    @pytest.mark.parametrize("kind", ["", "A", "a b", "a\nb", "ä", "a" * 65, "a/b", "a\n", 1, None])
    async def test_a_type_is_one_word(
        self, client: AsyncClient, service: Headers, kind: object
    ) -> None:
        answer = await client.post("/events", json={"type": kind, "data": {}}, headers=service)
        assert answer.status_code == 400

    @pytest.mark.parametrize("kind", ["a", "a" * 64, "0.a_b:c-d"])
    async def test_these_are_types(self, client: AsyncClient, service: Headers, kind: str) -> None:
        answer = await client.post("/events", json={"type": kind, "data": {}}, headers=service)
        assert answer.status_code == 202

    @pytest.mark.parametrize("data", [None, [], "x", 1, True])
    async def test_data_is_an_object(
        self, client: AsyncClient, service: Headers, data: object
    ) -> None:
        answer = await client.post("/events", json={"type": "a", "data": data}, headers=service)
        assert answer.status_code == 400

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
    async def test_data_has_only_numbers_that_a_browser_can_read(
        self, client: AsyncClient, service: Headers, text: str
    ) -> None:
        answer = await client.post(
            "/events",
            content=f'{{"type":"a","data":{{"n":{text}}}}}',
            headers={**service, "Content-Type": "application/json"},
        )
        assert answer.status_code == 400

    async def test_data_has_64_kib_at_most(
        self, client: AsyncClient, service: Headers, resources: Resources
    ) -> None:
        room = 64 * 1024 - len(json.dumps({"x": ""}, separators=(",", ":")))
        for size, status in ((room, 202), (room + 1, 400)):
            event = {"type": "a", "data": {"x": "a" * size}}
            answer = await client.post("/events", json=event, headers=service)
            assert answer.status_code == status
        (stored,) = await history(resources, Key.ALL)
        assert len(stored[b"data"]) == 64 * 1024
