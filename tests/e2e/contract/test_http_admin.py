"""Section 4: administration of accounts and API keys, the audit log and the numbers."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.outside import Headers, Outside, Person, data_of, new_email, refused, wait_until

pytestmark = pytest.mark.xdist_group("contract")

USER = {"id", "email", "name", "phone", "avatar_url", "status", "role", "created_at"}
KEY = {
    *("id", "name", "prefix", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"),
}
AUDIT = {
    *("id", "actor_type", "actor_id", "action", "target_type", "target_id", "before", "after"),
    *("request_id", "address", "created_at"),
}
SCOPES = [
    *("notifications:send", "events:publish", "accounts:read", "accounts:write", "metrics:read"),
]


def change(service: Outside, person: Person, **fields: Any) -> httpx.Response:
    path = f"/admin/users/{person.id}"
    return service.api.patch(path, headers=service.root.headers, json=fields)


def find(service: Outside, **params: Any) -> list[str]:
    answer = service.api.get("/admin/users", headers=service.root.headers, params=params)
    return [user["email"] for user in data_of(answer)]


def audit_of(service: Outside, **params: str) -> list[dict[str, Any]]:
    answer = service.api.get("/admin/audit-log", headers=service.root.headers, params=params)
    found: list[dict[str, Any]] = data_of(answer)
    return found


class TestUsers:
    def test_are_found_by_part_of_email_or_name(self, service: Outside) -> None:
        mark = uuid4().hex
        ada = service.person(f"{mark}@example.com")
        bob = service.person()
        service.api.put("/auth/me", headers=bob.headers, json={"name": f"Bob {mark[:12]}"})
        assert set(find(service, q=mark[:12].upper())) == {ada.email, bob.email}
        assert find(service, q="%") == []

    def test_are_filtered_by_status_and_role(self, service: Outside) -> None:
        ada = service.person()
        assert find(service, q=ada.email, status="active", role="user") == [ada.email]
        assert find(service, q=ada.email, status="suspended") == []
        assert find(service, q=ada.email, role="admin") == []
        for bad in ("status=odd", "role=odd", "sort=id", "sort=-", "q=%00"):
            answer = service.api.get(f"/admin/users?{bad}", headers=service.root.headers)
            assert refused(answer) == (400, "invalid_request"), bad

    @pytest.mark.parametrize("by", ["created_at", "email", "name"])
    def test_are_sorted_both_ways(self, service: Outside, by: str) -> None:
        mark = uuid4().hex[:12]
        people = [service.person(f"{letter}-{mark}@example.com") for letter in "abc"]
        for person, name in zip(people, "xyz", strict=True):
            service.api.put("/auth/me", headers=person.headers, json={"name": name})
        emails = [person.email for person in people]
        assert find(service, q=mark, sort=by) == emails
        assert find(service, q=mark, sort=f"-{by}") == emails[::-1]
        assert find(service, q=mark, sort=by, page=2, per_page=2) == emails[2:]

    def test_that_are_deleted_are_listed_by_that_status_alone(self, service: Outside) -> None:
        ada = service.person()
        service.api.delete(f"/admin/users/{ada.id}", headers=service.root.headers)
        assert find(service, q=ada.email) == []
        assert find(service, q=ada.email, status="deleted") == [ada.email]

    def test_are_changed(self, service: Outside) -> None:
        ada = service.person()
        given = {"name": "Ada", "phone": "+14155552671", "role": "admin"}
        user = data_of(change(service, ada, **given))
        assert set(user) == USER
        assert {name: user[name] for name in given} == given
        assert data_of(change(service, ada, name=None, role="user"))["name"] is None

    @pytest.mark.parametrize(
        "fields", [{"status": "deleted"}, {"status": None}, {"role": "x"}, {"email": "a@b.c"}]
    )
    def test_take_nothing_else(self, service: Outside, fields: dict[str, Any]) -> None:
        answer = change(service, service.person(), **fields)
        assert refused(answer) == (400, "invalid_request")

    def test_that_are_deleted_are_a_409_until_restored(self, service: Outside) -> None:
        ada = service.person()
        path = f"/admin/users/{ada.id}"
        root = service.root.headers
        restore = f"{path}/restore"
        assert refused(service.api.post(restore, headers=root)) == (409, "conflict")
        assert data_of(service.api.delete(path, headers=root)) is None
        assert refused(change(service, ada, name="x")) == (409, "conflict")
        assert refused(service.api.delete(path, headers=root)) == (409, "conflict")
        assert data_of(service.api.post(restore, headers=root))["status"] == "active"

    def test_that_are_suspended_lose_access(self, service: Outside) -> None:
        """Within a second, also in other processes: tests/e2e/test_suspension.py."""
        ada = service.person()
        data_of(change(service, ada, status="suspended"))
        for answer in (
            service.api.get("/auth/me", headers=ada.headers),
            service.api.post("/auth/verify", json={"token": ada.token}),
        ):
            assert refused(answer) == (403, "account_suspended")
        data_of(change(service, ada, status="active"))
        assert data_of(service.api.get("/auth/me", headers=ada.headers))["id"] == ada.id

    def test_that_are_demoted_administer_no_more(self, service: Outside) -> None:
        ada = service.person()
        data_of(change(service, ada, role="admin"))
        assert service.api.get("/admin/users", headers=ada.headers).status_code == 200
        data_of(change(service, ada, role="user"))
        assert refused(service.api.get("/admin/users", headers=ada.headers)) == (403, "forbidden")

    def test_the_last_administrator_stays(self, service: Outside) -> None:
        """Two who demote each other at once: tests/modules/user/test_last_administrator.py."""
        root = service.root
        others = service.api.get("/admin/users?role=admin&per_page=100", headers=root.headers)
        for user in data_of(others):
            if user["id"] != root.id:
                path = f"/admin/users/{user['id']}"
                service.api.patch(path, headers=root.headers, json={"role": "user"})
        for answer in (
            change(service, root, role="user"),
            change(service, root, status="suspended"),
            service.api.delete(f"/admin/users/{root.id}", headers=root.headers),
            service.api.delete("/auth/me", headers=root.headers),
        ):
            assert refused(answer) == (409, "conflict")


class TestApiKeys:
    @pytest.fixture
    def key(self, service: Outside) -> Any:
        return service.new_key("metrics:read")

    def test_are_shown_once(self, service: Outside, key: Any) -> None:
        assert set(key) == {*KEY, "key"}
        assert key["key"].startswith(f"{key['prefix']}_")
        assert key["prefix"].startswith("myapp_")
        listed = data_of(service.api.get("/admin/api-keys", headers=service.root.headers))
        assert set(listed[0]) == KEY
        assert key["key"] not in str(listed)

    def test_have_known_scopes(self, service: Outside) -> None:
        assert set(service.new_key(*SCOPES)["scopes"]) == set(SCOPES)
        for scopes in ([], ["odd"]):
            body = {"name": "x", "scopes": scopes}
            answer = service.api.post("/admin/api-keys", headers=service.root.headers, json=body)
            assert refused(answer) == (400, "invalid_request")

    def test_expire(self, service: Outside) -> None:
        soon = datetime.now(UTC) + timedelta(seconds=2)
        key = service.key("metrics:read", expires_at=soon.isoformat())
        early = service.api.get("/metrics", headers=key)
        assert early.status_code == 200 or datetime.now(UTC) >= soon
        time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()))
        assert refused(service.api.get("/metrics", headers=key)) == (401, "unauthenticated")

    def test_that_expired_before_they_began_are_refused(self, service: Outside) -> None:
        body = {"name": "x", "scopes": SCOPES, "expires_at": "2020-01-01T00:00:00Z"}
        answer = service.api.post("/admin/api-keys", headers=service.root.headers, json=body)
        assert refused(answer) == (400, "invalid_request")

    def test_that_are_revoked_are_unauthenticated(self, service: Outside, key: Any) -> None:
        headers = {"X-API-Key": key["key"]}
        path = f"/admin/api-keys/{key['id']}"
        assert service.api.get("/metrics", headers=headers).status_code == 200
        assert data_of(service.api.delete(path, headers=service.root.headers)) is None
        assert refused(service.api.get("/metrics", headers=headers)) == (401, "unauthenticated")
        again = service.api.post(f"{path}/rotate", headers=service.root.headers, json={})
        assert refused(again) == (409, "conflict")

    def test_that_are_mistyped_are_unauthenticated(self, service: Outside, key: Any) -> None:
        text = key["key"]
        for bad in (text[:-1], text[:-1] + ("A" if text[-1] != "A" else "B"), "myapp_x", ""):
            answer = service.api.get("/metrics", headers={"X-API-Key": bad})
            assert refused(answer) == (401, "unauthenticated")
            assert answer.headers["WWW-Authenticate"]

    def rotate(self, service: Outside, key: Any, **body: Any) -> httpx.Response:
        path = f"/admin/api-keys/{key['id']}/rotate"
        return service.api.post(path, headers=service.root.headers, json=body)

    def works(self, service: Outside, key: Any) -> bool:
        return service.api.get("/metrics", headers={"X-API-Key": key["key"]}).status_code == 200

    def test_keep_their_id_when_rotated_and_the_old_one_works_on(
        self, service: Outside, key: Any
    ) -> None:
        new = data_of(self.rotate(service, key))
        assert (new["id"], new["key"] != key["key"]) == (key["id"], True)
        assert self.works(service, key)
        assert self.works(service, new)
        record = service.audit("api_key.rotated", key["id"])
        assert record["after"] == {"overlap_seconds": 600}

    def test_overlap_as_long_as_asked_for(self, service: Outside, key: Any) -> None:
        began = time.monotonic()
        new = data_of(self.rotate(service, key, overlap_seconds=2))
        assert self.works(service, key) or time.monotonic() - began >= 2
        wait_until(lambda: not self.works(service, key))
        assert time.monotonic() - began >= 2
        assert self.works(service, new)
        data_of(self.rotate(service, key, overlap_seconds=0))
        assert not self.works(service, new)

    def test_overlap_for_at_most_a_day(self, service: Outside, key: Any) -> None:
        assert self.rotate(service, key, overlap_seconds=86_400).status_code == 200
        for seconds in (-1, 86_401, 1.5, "1"):
            answer = self.rotate(service, key, overlap_seconds=seconds)
            assert refused(answer) == (400, "invalid_request")


class TestAudit:
    def test_of_a_change_of_a_user(self, service: Outside) -> None:
        ada = service.person()
        headers = service.root.headers | {"X-Request-ID": uuid4().hex}
        path = f"/admin/users/{ada.id}"
        service.api.patch(path, headers=headers, json={"status": "suspended"})
        (record,) = audit_of(service, target_id=ada.id)
        assert set(record) == AUDIT
        assert (record["actor_type"], record["actor_id"]) == ("user", service.root.id)
        assert (record["action"], record["target_type"]) == ("user.suspended", "user")
        assert record["before"]["status"] == "active"
        assert record["after"]["status"] == "suspended"
        assert record["request_id"] == headers["X-Request-ID"]
        assert record["address"] == "127.0.0.1"

    def test_of_each_change_of_a_user(self, service: Outside) -> None:
        ada = service.person()
        for fields in ({"role": "admin"}, {"role": "user"}, {"name": "Ada"}):
            change(service, ada, **fields)
        service.api.delete(f"/admin/users/{ada.id}", headers=service.root.headers)
        service.api.post(f"/admin/users/{ada.id}/restore", headers=service.root.headers)
        actions = [record["action"] for record in audit_of(service, target_id=ada.id)]
        assert actions == [
            *("user.restored", "user.deleted", "user.updated", "user.demoted", "user.promoted"),
        ]

    def test_of_a_key_shows_no_secret_and_times_with_z(self, service: Outside) -> None:
        key = service.new_key("metrics:read", expires_at="2100-01-01T02:00:00+02:00")
        service.api.delete(f"/admin/api-keys/{key['id']}", headers=service.root.headers)
        revoked, created = audit_of(service, target_id=key["id"])
        assert created["after"]["expires_at"] == "2100-01-01T00:00:00Z"
        assert revoked["after"]["revoked_at"].endswith("Z")
        assert key["key"] not in str([revoked, created])

    def test_is_filtered(self, service: Outside) -> None:
        ada = service.person()
        change(service, ada, name="Ada")
        assert len(audit_of(service, target_id=ada.id, actor_id=service.root.id)) == 1
        assert audit_of(service, target_id=ada.id, actor_id=ada.id) == []
        assert audit_of(service, target_id=ada.id, action="user.deleted") == []

    def test_of_the_command_line(self, service: Outside) -> None:
        email = new_email()
        service.run("admin", "grant", email)
        ada = service.person(email)
        record = service.audit("user.created", ada.id)
        assert (record["actor_type"], record["after"]["role"]) == ("cli", "admin")
        service.run("admin", "revoke", email)
        assert service.audit("user.demoted", ada.id)["actor_type"] == "cli"


def test_stats(service: Outside) -> None:
    stats = data_of(service.api.get("/admin/stats", headers=service.root.headers))
    assert set(stats) == {"users", "streams", "queues", "outbox", "processes"}
    assert stats["users"]["active"] >= 1
    assert {queue["name"] for queue in stats["queues"]} == {"default", "low"}


def test_no_administration_without_credentials(service: Outside) -> None:
    """Every route of it, from the OpenAPI document: tests/test_access.py."""
    none: Headers = {}
    assert refused(service.api.get("/admin/stats", headers=none)) == (401, "unauthenticated")
