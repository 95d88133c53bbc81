"""Section 4: `/auth`, `/users`, and how an identity becomes a user."""

import time
from pathlib import Path

import pytest

from tests.support.outside import Outside, data_of, new_email, refused, wait_until

pytestmark = pytest.mark.xdist_group("contract")

USER = {"id", "email", "name", "phone", "avatar_url", "status", "role", "created_at"}
AVATAR_BYTES = 5 * 1024 * 1024
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
NOBODY = "0198aaaa-0000-7000-8000-000000000000"


class TestVerify:
    def test_finds_or_creates_the_user(self, service: Outside) -> None:
        email = new_email()
        token = service.sign(email)
        for _ in range(2):
            user = data_of(service.api.post("/auth/verify", json={"token": token}))
            assert set(user) == USER
            assert (user["email"], user["status"], user["role"]) == (email, "active", "user")
        me = service.api.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert data_of(me) == user

    def test_is_not_needed_first(self, service: Outside) -> None:
        headers = {"Authorization": f"Bearer {service.sign(new_email())}"}
        assert data_of(service.api.get("/devices", headers=headers)) == []

    @pytest.mark.parametrize("body", [{}, {"token": 1}, {"token": "x", "more": 1}, []])
    def test_takes_a_token_and_nothing_else(self, service: Outside, body: object) -> None:
        answer = service.api.post("/auth/verify", json=body)
        assert refused(answer) == (400, "invalid_request")


class TestProfile:
    def test_changes_what_is_given(self, service: Outside) -> None:
        ada = service.person()
        for change in ({"name": "Ada"}, {"phone": "+14155552671"}, {}):
            user = data_of(service.api.put("/auth/me", headers=ada.headers, json=change))
        assert (user["name"], user["phone"]) == ("Ada", "+14155552671")

    def test_is_cleared_by_null(self, service: Outside) -> None:
        ada = service.person()
        full = {"name": "Ada", "phone": "+14155552671"}
        service.api.put("/auth/me", headers=ada.headers, json=full)
        empty = {"name": None, "phone": None}
        user = data_of(service.api.put("/auth/me", headers=ada.headers, json=empty))
        assert (user["name"], user["phone"]) == (None, None)

    def test_has_a_name_of_at_most_255_characters(self, service: Outside) -> None:
        ada = service.person()
        assert data_of(service.api.put("/auth/me", headers=ada.headers, json={"name": "ü" * 255}))
        longer = service.api.put("/auth/me", headers=ada.headers, json={"name": "ü" * 256})
        assert refused(longer) == (400, "invalid_request")

    @pytest.mark.parametrize(
        "phone", ["14155552671", "+1 415 555 2671", "+1415", "", "+0123456789"]
    )
    def test_has_a_phone_in_e164(self, service: Outside, phone: str) -> None:
        answer = service.api.put(
            "/auth/me", headers=service.person().headers, json={"phone": phone}
        )
        assert refused(answer) == (400, "invalid_request")

    @pytest.mark.parametrize("field", ["id", "email", "role", "status", "created_at", "avatar_url"])
    def test_takes_no_other_field(self, service: Outside, field: str) -> None:
        answer = service.api.put(
            "/auth/me", headers=service.person().headers, json={field: "admin"}
        )
        assert refused(answer) == (400, "invalid_request")

    def test_is_public_in_part(self, service: Outside) -> None:
        ada, bob = service.person(), service.person()
        shown = data_of(service.api.get(f"/users/{ada.id}", headers=bob.headers))
        assert set(shown) == {"id", "name", "avatar_url"}
        assert refused(service.api.get(f"/users/{ada.id}")) == (401, "unauthenticated")
        missing = service.api.get(f"/users/{NOBODY}", headers=bob.headers)
        assert refused(missing) == (404, "not_found")


class TestAvatar:
    def test_is_judged_by_content(self, service: Outside) -> None:
        ada = service.person()
        named = ada.headers | {"Content-Type": "text/plain"}
        user = data_of(service.api.put("/auth/me/avatar", headers=named, content=PNG))
        shown = service.api.get(user["avatar_url"])
        assert (shown.content, shown.headers["Content-Type"]) == (PNG, "image/png")
        disguised = ada.headers | {"Content-Type": "image/png"}
        svg = service.api.put("/auth/me/avatar", headers=disguised, content=b"<svg/>")
        assert refused(svg) == (415, "unsupported_media_type")

    def test_has_at_most_5_mib(self, service: Outside) -> None:
        ada = service.person()
        largest = PNG + bytes(AVATAR_BYTES - len(PNG))
        assert data_of(service.api.put("/auth/me/avatar", headers=ada.headers, content=largest))
        more = service.api.put("/auth/me/avatar", headers=ada.headers, content=largest + b"x")
        assert refused(more) == (413, "too_large")

    def test_is_removed(self, service: Outside) -> None:
        ada = service.person()
        service.api.put("/auth/me/avatar", headers=ada.headers, content=PNG)
        assert data_of(service.api.delete("/auth/me/avatar", headers=ada.headers)) is None
        assert data_of(service.api.get("/auth/me", headers=ada.headers))["avatar_url"] is None


class TestDeletion:
    def test_is_a_403_until_an_administrator_restores(self, service: Outside) -> None:
        ada = service.person()
        assert data_of(service.api.delete("/auth/me", headers=ada.headers)) is None
        for answer in (
            service.api.get("/auth/me", headers=ada.headers),
            service.api.post("/auth/verify", json={"token": ada.token}),
        ):
            assert refused(answer) == (403, "account_deleted")
        restored = service.api.post(f"/admin/users/{ada.id}/restore", headers=service.root.headers)
        assert data_of(restored)["status"] == "active"
        assert data_of(service.api.get("/auth/me", headers=ada.headers))["id"] == ada.id

    def test_frees_the_email_at_once(self, service: Outside) -> None:
        """Purging after 30 days: tests/modules/user/test_administration.py."""
        ada = service.person()
        service.api.delete("/auth/me", headers=ada.headers)
        granted = service.run("admin", "grant", ada.email)
        assert granted.returncode == 0, granted.stderr
        other = service.person(ada.email)  # who joins what was prepared: the email was free
        assert other.id != ada.id
        me = data_of(service.api.get("/auth/me", headers=other.headers))
        assert me["role"] == "admin"


class TestEmails:
    def test_may_be_null(self, service: Outside) -> None:
        token = service.sign(None)
        user = data_of(service.api.post("/auth/verify", json={"token": token}))
        assert user["email"] is None

    def test_that_are_unverified_neither_block_nor_grant(self, service: Outside) -> None:
        email = new_email()
        first = service.person(email, email_verified=False)
        assert service.run("admin", "grant", email).returncode == 0
        second = service.person(email, email_verified=False)
        for person in (first, second):
            me = data_of(service.api.get("/auth/me", headers=person.headers))
            assert (me["email"], me["role"]) == (email, "user")
        owner = service.person(email)
        assert owner.id not in (first.id, second.id)
        assert data_of(service.api.get("/auth/me", headers=owner.headers))["role"] == "admin"

    def test_join_whatever_their_case(self, service: Outside) -> None:
        email = new_email()
        assert service.run("admin", "grant", email.upper()).returncode == 0
        owner = service.person(email)
        assert data_of(service.api.get("/auth/me", headers=owner.headers))["role"] == "admin"


class TestExpiry:
    def test_of_a_token_that_is_known_is_its_end(self, service: Outside) -> None:
        expiry = time.time() + 2
        token = service.sign(new_email(), expires_in=2.0)
        early = service.api.post("/auth/verify", json={"token": token})
        assert early.status_code == 200 or time.time() >= expiry
        time.sleep(max(0.0, expiry + 0.1 - time.time()))
        answer = service.api.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert refused(answer) == (401, "unauthenticated")


def test_no_log_has_a_token(service: Outside) -> None:
    ada = service.person()
    key = service.key("metrics:read")["X-API-Key"]
    service.api.get("/metrics", headers={"X-API-Key": key})
    log: Path = service.program.log_file
    wait_until(lambda: "/auth/me" in log.read_text())
    text = log.read_text()
    assert ada.token not in text
    assert key not in text
