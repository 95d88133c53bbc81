"""/admin/users/{id}: what administrators do with an account."""

from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from myapp.database.audit import AuditRecord
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from tests.conftest import SignIn
from tests.support.people import Person, enter, enter_admin


def path_of(person: Person) -> str:
    return f"/admin/users/{person.id}"


class TestGet:
    async def test_shows_an_account(self, client: AsyncClient, root: Person, eve: Person) -> None:
        answer = await client.get(path_of(eve), headers=root.headers)
        assert answer.status_code == 200
        assert answer.json()["data"]["email"] == "eve@example.com"

    async def test_shows_a_deleted_one_too(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await client.delete(path_of(eve), headers=root.headers)
        answer = await client.get(path_of(eve), headers=root.headers)
        assert answer.json()["data"]["status"] == "deleted"

    async def test_knows_nobody_by_another_id(self, client: AsyncClient, root: Person) -> None:
        answer = await client.get(f"/admin/users/{uuid4()}", headers=root.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


class TestChange:
    async def test_changes_what_is_given_and_nothing_else(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await client.patch(path_of(eve), headers=root.headers, json={"phone": "+12015550123"})
        answer = await client.patch(path_of(eve), headers=root.headers, json={"name": "Eve"})
        assert answer.status_code == 200
        user = answer.json()["data"]
        assert (user["name"], user["phone"]) == ("Eve", "+12015550123")
        assert (user["status"], user["role"]) == ("active", "user")

    async def test_locks_a_suspended_user_out_with_the_next_request(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await client.patch(path_of(eve), headers=root.headers, json={"status": "suspended"})
        answer = await client.get("/auth/me", headers=eve.headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_suspended")
        await client.patch(path_of(eve), headers=root.headers, json={"status": "active"})
        assert (await client.get("/auth/me", headers=eve.headers)).status_code == 200

    async def test_gives_and_takes_the_role_with_the_next_request(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await client.patch(path_of(eve), headers=root.headers, json={"role": "admin"})
        assert (await client.get("/admin/users", headers=eve.headers)).status_code == 200
        await client.patch(path_of(eve), headers=root.headers, json={"role": "user"})
        assert (await client.get("/admin/users", headers=eve.headers)).status_code == 403

    async def test_notes_that_an_administrator_suspended(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await User.filter(id=eve.id).update(status=UserStatus.SUSPENDED, suspended_by="sync")
        await client.patch(path_of(eve), headers=root.headers, json={"status": "suspended"})
        assert (await User.get(id=eve.id)).suspended_by == "admin"
        await client.patch(path_of(eve), headers=root.headers, json={"status": "active"})
        assert (await User.get(id=eve.id)).suspended_by is None

    @pytest.mark.parametrize(
        "body",
        [
            {"id": str(uuid4())},
            {"email": "root@example.com"},
            {"email_key": "root@example.com"},
            {"identity_uid": "x"},
            {"suspended_by": None},
            {"deleted_at": None},
            {"created_at": "2020-01-01T00:00:00Z"},
            {"avatar_key": "avatars/another"},
            {"status": "deleted"},
            {"status": None},
            {"status": "ACTIVE"},
            {"status": 1},
            {"role": None},
            {"role": "root"},
            {"role": ["admin"]},
            {"name": "a\nb"},
            {"name": "x" * 256},
            {"phone": "911"},
            [],
            "name",
        ],
    )
    async def test_refuses_anything_else(
        self, client: AsyncClient, root: Person, eve: Person, body: Any
    ) -> None:
        [before] = await User.filter(id=eve.id).values()
        answer = await client.patch(path_of(eve), headers=root.headers, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert await User.filter(id=eve.id).values() == [before]

    @pytest.mark.parametrize("status", ["deleted", "gone", None, ["active"]])
    async def test_names_the_statuses_that_it_takes(
        self, client: AsyncClient, root: Person, eve: Person, status: Any
    ) -> None:
        body = {"status": status}
        answer = await client.patch(path_of(eve), headers=root.headers, json=body)
        assert [fault["message"] for fault in answer.json()["details"]] == [
            "is none of active, suspended"
        ]

    async def test_is_refused_for_a_deleted_user(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await client.delete(path_of(eve), headers=root.headers)
        answer = await client.patch(path_of(eve), headers=root.headers, json={"status": "active"})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")

    async def test_leaves_a_record_of_what_changed_and_by_whom(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        headers = {**root.headers, "X-Request-ID": "my-request", "X-Forwarded-For": "6.6.6.6"}
        changes = {"status": "suspended", "name": "Eve"}
        await client.patch(path_of(eve), headers=headers, json=changes)
        record = await AuditRecord.get()
        assert (record.actor_type, record.actor_id) == ("user", str(root.id))
        assert (record.action, record.target_type) == ("user.suspended", "user")
        assert record.target_id == str(eve.id)
        assert record.before == {"status": "active", "name": None, "suspended_by": None}
        assert record.after == {"status": "suspended", "name": "Eve", "suspended_by": "admin"}
        assert (record.request_id, record.address) == ("my-request", "127.0.0.1")

    async def test_of_nothing_leaves_no_record(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        for body in ({}, {"status": "active"}, {"role": "user", "name": None}):
            answer = await client.patch(path_of(eve), headers=root.headers, json=body)
            assert answer.status_code == 200
        assert await AuditRecord.all().count() == 0


class TestDelete:
    async def test_locks_the_user_out_and_frees_the_email(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        answer = await client.delete(path_of(eve), headers=root.headers)
        assert (answer.status_code, answer.json()["data"]) == (200, None)
        denied = await client.get("/auth/me", headers=eve.headers)
        assert (denied.status_code, denied.json()["code"]) == (403, "account_deleted")
        assert await User.by_email("eve@example.com") is None

    async def test_of_a_deleted_user_is_refused(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await client.delete(path_of(eve), headers=root.headers)
        assert (await client.delete(path_of(eve), headers=root.headers)).status_code == 409

    async def test_leaves_a_record(self, client: AsyncClient, root: Person, eve: Person) -> None:
        await client.delete(path_of(eve), headers=root.headers)
        record = await AuditRecord.get()
        assert record.action == "user.deleted"
        assert (record.before, record.after) == ({"status": "active"}, {"status": "deleted"})


class TestRestore:
    async def test_opens_the_account_again_with_its_email(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await client.delete(path_of(eve), headers=root.headers)
        answer = await client.post(f"{path_of(eve)}/restore", headers=root.headers)
        assert (answer.status_code, answer.json()["data"]["status"]) == (200, "active")
        assert (await client.get("/auth/me", headers=eve.headers)).status_code == 200
        user = await User.get(id=eve.id)
        assert (user.email_key, user.deleted_at) == ("eve@example.com", None)

    async def test_leaves_the_email_to_who_has_it_by_now(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        await client.delete(path_of(eve), headers=root.headers)
        heir = await User.create(email="eve@example.com", email_key="eve@example.com")
        answer = await client.post(f"{path_of(eve)}/restore", headers=root.headers)
        assert answer.status_code == 200
        assert (await User.get(id=eve.id)).email_key is None
        holder = await User.by_email("eve@example.com")
        assert holder is not None
        assert holder.id == heir.id

    async def test_does_not_verify_an_email_that_never_was(
        self, client: AsyncClient, root: Person, sign_in: SignIn
    ) -> None:
        headers = sign_in("mallory@example.com", email_verified=False)
        me = (await client.get("/auth/me", headers=headers)).json()["data"]
        await client.delete(f"/admin/users/{me['id']}", headers=root.headers)
        await client.post(f"/admin/users/{me['id']}/restore", headers=root.headers)
        assert await User.by_email("mallory@example.com") is None

    async def test_is_refused_for_one_that_is_not_deleted(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        answer = await client.post(f"{path_of(eve)}/restore", headers=root.headers)
        assert answer.status_code == 409

    async def test_leaves_a_record(self, client: AsyncClient, root: Person, eve: Person) -> None:
        await client.delete(path_of(eve), headers=root.headers)
        await client.post(f"{path_of(eve)}/restore", headers=root.headers)
        records = await AuditRecord.all().order_by("id")
        assert [record.action for record in records] == ["user.deleted", "user.restored"]


class TestLastAdministrator:
    @pytest.mark.parametrize("body", [{"role": "user"}, {"status": "suspended"}])
    async def test_can_be_neither_demoted_nor_suspended(
        self, client: AsyncClient, root: Person, body: dict[str, str]
    ) -> None:
        answer = await client.patch(path_of(root), headers=root.headers, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert (await client.get("/admin/users", headers=root.headers)).status_code == 200

    async def test_can_be_deleted_by_neither_door(self, client: AsyncClient, root: Person) -> None:
        for path in (path_of(root), "/auth/me"):
            assert (await client.delete(path, headers=root.headers)).status_code == 409
        assert (await client.get("/auth/me", headers=root.headers)).status_code == 200

    async def test_is_still_the_last_beside_suspended_ones(
        self, client: AsyncClient, root: Person, sign_in: SignIn
    ) -> None:
        other = await enter_admin(client, sign_in, "other@example.com")
        await client.patch(path_of(other), headers=root.headers, json={"status": "suspended"})
        answer = await client.patch(path_of(root), headers=root.headers, json={"role": "user"})
        assert answer.status_code == 409

    async def test_may_go_once_there_is_another(
        self, client: AsyncClient, root: Person, sign_in: SignIn
    ) -> None:
        await enter_admin(client, sign_in, "other@example.com")
        assert (await client.delete("/auth/me", headers=root.headers)).status_code == 200

    async def test_may_still_change_their_name(self, client: AsyncClient, root: Person) -> None:
        answer = await client.patch(path_of(root), headers=root.headers, json={"name": "Root"})
        assert answer.status_code == 200

    async def test_does_not_keep_others_from_leaving(
        self, client: AsyncClient, root: Person, eve: Person
    ) -> None:
        assert (await client.delete("/auth/me", headers=eve.headers)).status_code == 200
        await enter(client, lambda *_: root.headers, "root@example.com")
        user = await User.get(id=root.id)
        assert (user.role, user.status) == (UserRole.ADMIN, UserStatus.ACTIVE)
