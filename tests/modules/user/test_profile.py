"""/auth/me and /users/{id}."""

from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.resources import Resources
from tests.conftest import Headers, SignIn
from tests.modules.user.test_avatar import PNG


@pytest.fixture
def ada(sign_in: SignIn) -> Headers:
    return sign_in("ada@example.com")


class TestGetMe:
    async def test_creates_the_user_at_the_first_request(
        self, client: AsyncClient, ada: Headers
    ) -> None:
        answer = await client.get("/auth/me", headers=ada)
        assert answer.status_code == 200
        assert answer.json()["data"]["email"] == "ada@example.com"
        assert await User.all().count() == 1

    async def test_answers_403_to_a_suspended_user(
        self, client: AsyncClient, ada: Headers, resources: Resources
    ) -> None:
        user_id = (await client.get("/auth/me", headers=ada)).json()["data"]["id"]
        await User.filter(id=user_id).update(status=UserStatus.SUSPENDED)
        await resources.accounts.announce((await User.get(id=user_id)).id)
        answer = await client.get("/auth/me", headers=ada)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_suspended")


class TestEndedElsewhere:
    """By another process, a moment ago: here they are still remembered as active."""

    @pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.DELETED])
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "/auth/me", {"json": {"name": "Ada"}}),
            ("DELETE", "/auth/me", {}),
            ("PUT", "/auth/me/avatar", {"content": PNG}),
            ("DELETE", "/auth/me/avatar", {}),
            ("POST", "/devices", {"json": {"token": "t" * 163, "platform": "ios"}}),
        ],
    )
    async def test_it_is_said_why(
        self,
        client: AsyncClient,
        ada: Headers,
        status: UserStatus,
        method: str,
        path: str,
        body: dict[str, Any],
    ) -> None:
        await client.get("/auth/me", headers=ada)
        await User.all().update(status=status)
        answer = await client.request(method, path, headers=ada, **body)
        assert (answer.status_code, answer.json()["code"]) == (403, f"account_{status}")
        assert (await User.get()).name is None


class TestChangeMe:
    async def test_changes_what_is_given_and_nothing_else(
        self, client: AsyncClient, ada: Headers
    ) -> None:
        await client.put("/auth/me", headers=ada, json={"name": "Ada", "phone": "+12015550123"})
        answer = await client.put("/auth/me", headers=ada, json={"name": "Ada Lovelace"})
        assert answer.json()["data"]["name"] == "Ada Lovelace"
        assert answer.json()["data"]["phone"] == "+12015550123"

    async def test_is_seen_by_the_next_request(self, client: AsyncClient, ada: Headers) -> None:
        await client.get("/auth/me", headers=ada)
        await client.put("/auth/me", headers=ada, json={"name": "Ada"})
        answer = await client.get("/auth/me", headers=ada)
        assert answer.json()["data"]["name"] == "Ada"

    async def test_clears_with_null(self, client: AsyncClient, ada: Headers) -> None:
        await client.put("/auth/me", headers=ada, json={"name": "Ada"})
        answer = await client.put("/auth/me", headers=ada, json={"name": None})
        assert answer.json()["data"]["name"] is None

    @pytest.mark.parametrize("name", ["José 🦜", "نام\u200cها", "n" * 255, "👩\u200d💻"])
    async def test_takes_names_of_all_the_world(
        self, client: AsyncClient, ada: Headers, name: str
    ) -> None:
        answer = await client.put("/auth/me", headers=ada, json={"name": name})
        assert answer.json()["data"]["name"] == name

    @pytest.mark.parametrize("name", ["", "   ", "n" * 256, "a\nb", "a\x00b", "a\u2028b", 5, ["a"]])
    async def test_refuses_what_is_no_name(
        self, client: AsyncClient, ada: Headers, name: object
    ) -> None:
        answer = await client.put("/auth/me", headers=ada, json={"name": name})
        assert answer.status_code == 400
        assert [fault["field"] for fault in answer.json()["details"]] == ["name"]

    @pytest.mark.parametrize("phone", ["", "2015550123", "+1 201 555 0123", "+1", "+999123", "x"])
    async def test_refuses_what_is_no_phone_number_in_e164(
        self, client: AsyncClient, ada: Headers, phone: str
    ) -> None:
        answer = await client.put("/auth/me", headers=ada, json={"phone": phone})
        assert answer.status_code == 400
        assert [fault["field"] for fault in answer.json()["details"]] == ["phone"]

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({"name": "", "phone": "x"}, {"name", "phone"}),
            ({"name": 1, "role": "admin", "id": 1}, {"name", "role", "id"}),
            ({"name": "", "phone": "x", "role": "admin"}, {"role"}),  # rules are asked afterwards
        ],
        ids=["rules", "fields", "both"],
    )
    async def test_names_every_fault_of_a_kind_at_once(
        self, client: AsyncClient, ada: Headers, body: Any, named: set[str]
    ) -> None:
        answer = await client.put("/auth/me", headers=ada, json=body)
        assert {fault["field"] for fault in answer.json()["details"]} == named

    @pytest.mark.parametrize("field", ["role", "status", "email", "id", "deleted_at"])
    async def test_refuses_fields_that_are_not_the_users_to_change(
        self, client: AsyncClient, ada: Headers, field: str
    ) -> None:
        answer = await client.put("/auth/me", headers=ada, json={field: "admin"})
        assert answer.status_code == 400
        assert (await client.get("/auth/me", headers=ada)).json()["data"]["role"] == "user"


class TestDeleteMe:
    async def test_closes_the_account(self, client: AsyncClient, ada: Headers) -> None:
        answer = await client.delete("/auth/me", headers=ada)
        assert (answer.status_code, answer.json()) == (200, {"success": True, "data": None})
        answer = await client.get("/auth/me", headers=ada)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_deleted")

    async def test_frees_its_email_at_once(self, client: AsyncClient, ada: Headers) -> None:
        await client.delete("/auth/me", headers=ada)
        assert await User.by_email("ada@example.com") is None


class TestPublicProfile:
    async def test_shows_name_and_picture_and_no_more(
        self, client: AsyncClient, ada: Headers, sign_in: SignIn
    ) -> None:
        answer = await client.put("/auth/me", headers=ada, json={"name": "Ada"})
        user_id = answer.json()["data"]["id"]
        answer = await client.get(f"/users/{user_id}", headers=sign_in("bob@example.com"))
        assert answer.json()["data"] == {"id": user_id, "name": "Ada", "avatar_url": None}

    @pytest.mark.parametrize(
        "user_id", ["01a202f7-06f1-7278-81fa-cbc3b1dff9bb", "nobody", "%00", "1' OR '1'='1"]
    )
    async def test_of_nobody_is_not_found(
        self, client: AsyncClient, ada: Headers, user_id: str
    ) -> None:
        answer = await client.get(f"/users/{user_id}", headers=ada)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_of_a_deleted_account_is_not_found(
        self, client: AsyncClient, ada: Headers, sign_in: SignIn
    ) -> None:
        user_id = (await client.get("/auth/me", headers=ada)).json()["data"]["id"]
        await client.delete("/auth/me", headers=ada)
        answer = await client.get(f"/users/{user_id}", headers=sign_in("bob@example.com"))
        assert answer.status_code == 404

    async def test_needs_credentials(self, client: AsyncClient) -> None:
        assert (await client.get(f"/users/{uuid4()}")).status_code == 401
