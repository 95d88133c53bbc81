"""Section 4: devices and notifications."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.outside import Headers, Outside, Person, data_of, refused, wait_until

pytestmark = pytest.mark.xdist_group("contract")

NOBODY = "0198aaaa-0000-7000-8000-000000000000"
DEVICE = {"id", "platform", "created_at", "last_seen_at"}
NOTIFICATION = {"id", "title", "body", "data", "read_at", "created_at"}


@pytest.fixture
def sender(service: Outside) -> Headers:
    return service.key("notifications:send")


def send(service: Outside, headers: Headers, **body: Any) -> httpx.Response:
    given = {"title": "Hello", "body": "It works"} | body
    return service.api.post("/notifications", headers=headers, json=given)


def inbox(service: Outside, person: Person, query: str = "") -> Any:
    return data_of(service.api.get(f"/notifications?{query}", headers=person.headers))


class TestDevices:
    @pytest.mark.parametrize("platform", ["ios", "android", "web"])
    def test_are_of_a_platform(self, service: Outside, platform: str) -> None:
        ada = service.person()
        body = {"token": uuid4().hex, "platform": platform}
        device = data_of(service.api.post("/devices", headers=ada.headers, json=body), 201)
        assert set(device) == DEVICE
        assert data_of(service.api.get("/devices", headers=ada.headers)) == [device]

    def test_are_of_no_other_platform(self, service: Outside) -> None:
        body = {"token": "t", "platform": "windows"}
        answer = service.api.post("/devices", headers=service.person().headers, json=body)
        assert refused(answer) == (400, "invalid_request")

    def test_belong_to_one_user_at_a_time(self, service: Outside) -> None:
        ada, bob = service.person(), service.person()
        body = {"token": uuid4().hex, "platform": "web"}
        for person in (ada, bob):
            data_of(service.api.post("/devices", headers=person.headers, json=body), 201)
        assert data_of(service.api.get("/devices", headers=ada.headers)) == []

    def test_are_deleted_by_their_owner_alone(self, service: Outside) -> None:
        ada, bob = service.person(), service.person()
        body = {"token": uuid4().hex, "platform": "web"}
        device = data_of(service.api.post("/devices", headers=ada.headers, json=body), 201)
        path = f"/devices/{device['id']}"
        assert refused(service.api.delete(path, headers=bob.headers)) == (404, "not_found")
        assert data_of(service.api.delete(path, headers=ada.headers)) is None
        assert refused(service.api.delete(path, headers=ada.headers)) == (404, "not_found")


class TestInbox:
    def test_has_what_was_sent_the_newest_first(self, service: Outside, sender: Headers) -> None:
        ada = service.person()
        for title in ("one", "two"):
            send(service, sender, user_id=ada.id, title=title, data={"k": "v"})
        newest, oldest = inbox(service, ada)
        assert set(newest) == NOTIFICATION
        assert [newest["title"], oldest["title"]] == ["two", "one"]
        assert (newest["data"], newest["read_at"]) == ({"k": "v"}, None)

    def test_is_read_one_by_one(self, service: Outside, sender: Headers) -> None:
        ada, bob = service.person(), service.person()
        for _ in range(2):
            send(service, sender, user_id=ada.id)
        first, second = inbox(service, ada)
        path = f"/notifications/{first['id']}/read"
        assert refused(service.api.post(path, headers=bob.headers)) == (404, "not_found")
        read = data_of(service.api.post(path, headers=ada.headers))
        assert read["read_at"]
        assert data_of(service.api.post(path, headers=ada.headers)) == read
        assert inbox(service, ada, "unread=true") == [second]
        assert inbox(service, ada, "unread=false") == [read]

    def test_is_read_all_at_once(self, service: Outside, sender: Headers) -> None:
        ada = service.person()
        for _ in range(3):
            send(service, sender, user_id=ada.id)
        data_of(service.api.post("/notifications/read-all", headers=ada.headers))
        assert inbox(service, ada, "unread=true") == []
        assert len(inbox(service, ada, "per_page=2")) == 2


class TestSending:
    def test_to_one_or_several_answers_their_ids(self, service: Outside, sender: Headers) -> None:
        ada, bob = service.person(), service.person()
        one = data_of(send(service, sender, user_id=ada.id), 202)
        assert one == {"ids": [inbox(service, ada)[0]["id"]], "accepted": 1}
        two = data_of(send(service, sender, user_ids=[ada.id, bob.id]), 202)
        assert (len(two["ids"]), two["accepted"]) == (2, 2)

    def test_to_all_reaches_the_active_users_and_omits_the_ids(
        self, service: Outside, sender: Headers
    ) -> None:
        ada, gone = service.person(), service.person()
        service.api.delete("/auth/me", headers=gone.headers)
        title = uuid4().hex
        accepted = data_of(send(service, sender, all=True, title=title), 202)
        assert set(accepted) == {"accepted"}
        wait_until(lambda: title in [each["title"] for each in inbox(service, ada)])
        service.api.post(f"/admin/users/{gone.id}/restore", headers=service.root.headers)
        assert inbox(service, gone) == []

    def test_is_for_administrators_and_keys(self, service: Outside, sender: Headers) -> None:
        ada = service.person()
        assert send(service, service.root.headers, user_id=ada.id).status_code == 202
        assert refused(send(service, ada.headers, user_id=ada.id)) == (403, "forbidden")
        assert refused(send(service, {}, user_id=ada.id)) == (401, "unauthenticated")

    def test_to_somebody_unknown_or_not_active_sends_nothing(
        self, service: Outside, sender: Headers
    ) -> None:
        ada, suspended = service.person(), service.person()
        path = f"/admin/users/{suspended.id}"
        service.api.patch(path, headers=service.root.headers, json={"status": "suspended"})
        for other in (NOBODY, suspended.id):
            answer = send(service, sender, user_ids=[ada.id, other])
            assert refused(answer) == (404, "not_found")
        assert inbox(service, ada) == []

    @pytest.mark.parametrize("target", [{}, {"all": False}, {"user_ids": []}, {"user_id": "x"}])
    def test_names_whom_it_is_for(
        self, service: Outside, sender: Headers, target: dict[str, Any]
    ) -> None:
        assert refused(send(service, sender, **target)) == (400, "invalid_request")

    def test_is_for_one_kind_of_target(self, service: Outside, sender: Headers) -> None:
        ada = service.person()
        answer = send(service, sender, user_id=ada.id, all=True)
        assert refused(answer) == (400, "invalid_request")

    def test_is_for_at_most_1000_users(self, service: Outside, sender: Headers) -> None:
        ada = service.person()
        most = send(service, sender, user_ids=[ada.id] * 1000)
        assert most.status_code == 202
        more = send(service, sender, user_ids=[ada.id] * 1001)
        assert refused(more) == (400, "invalid_request")

    @pytest.mark.parametrize(
        ("largest", "more"),
        [
            ({"title": "ü" * 200}, {"title": "ü" * 201}),
            ({"body": "ü" * 2000}, {"body": "ü" * 2001}),
            ({"data": {"k": "x" * 3499}}, {"data": {"k": "x" * 3500}}),
            ({"data": {}}, {"data": {"k": 1}}),
        ],
        ids=["title", "body", "data", "strings"],
    )
    def test_has_limits(
        self, service: Outside, sender: Headers, largest: dict[str, Any], more: dict[str, Any]
    ) -> None:
        ada = service.person()
        assert send(service, sender, user_id=ada.id, **largest).status_code == 202
        assert refused(send(service, sender, user_id=ada.id, **more)) == (400, "invalid_request")


class TestIdempotencyKey:
    """Two at once, and the end after 24 hours: tests/modules/notification/test_sending.py."""

    def test_gives_the_same_request_the_same_answer(
        self, service: Outside, sender: Headers
    ) -> None:
        ada = service.person()
        headers = sender | {"Idempotency-Key": uuid4().hex}
        first, second = (send(service, headers, user_id=ada.id) for _ in range(2))
        assert data_of(first, 202) == data_of(second, 202)
        assert len(inbox(service, ada)) == 1

    def test_gives_another_body_a_409(self, service: Outside, sender: Headers) -> None:
        ada = service.person()
        headers = sender | {"Idempotency-Key": uuid4().hex}
        send(service, headers, user_id=ada.id)
        assert refused(send(service, headers, user_id=ada.id, title="No")) == (409, "conflict")

    def test_is_the_callers_own(self, service: Outside, sender: Headers) -> None:
        ada = service.person()
        key = {"Idempotency-Key": uuid4().hex}
        send(service, sender | key, user_id=ada.id)
        other = send(service, service.root.headers | key, user_id=ada.id, title="Other")
        assert other.status_code == 202
        assert len(inbox(service, ada)) == 2
