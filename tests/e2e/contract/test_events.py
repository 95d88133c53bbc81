"""Section 5: events, and their routes in section 4.

The 15 s of a heartbeat, the buffer of a slow reader and the 1,000 events and 24 hours of history
are tried closer to them: tests/modules/event/test_stream.py, tests/sse. Reconnects under load:
tests/e2e/test_event_storm.py.
"""

import re
import time
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.support.event_stream import Frame
from tests.support.outside import Headers, Outside, Person, data_of, new_email, refused

pytestmark = pytest.mark.xdist_group("contract")

NOBODY = "0198aaaa-0000-7000-8000-000000000000"
DATA_BYTES = 64 * 1024


@pytest.fixture(scope="module")
def publisher(service: Outside) -> Headers:
    return service.key("events:publish")


def publish(service: Outside, headers: Headers, **body: Any) -> httpx.Response:
    return service.api.post("/events", headers=headers, json={"type": "x", "data": {}} | body)


def tell(service: Outside, headers: Headers, person: Person, *numbers: int) -> None:
    for number in numbers:
        data_of(publish(service, headers, user_id=person.id, data={"n": number}), 202)


def numbers_of(frames: list[Frame]) -> list[int]:
    return [frame.json["data"]["n"] for frame in frames]


class TestPublishing:
    def test_answers_the_id(self, service: Outside, publisher: Headers) -> None:
        ada = service.person()
        with service.listening(headers=ada.headers) as stream:
            stream.begin()
            event = data_of(publish(service, publisher, user_id=ada.id), 202)
            assert set(event) == {"id"}
            assert stream.next_events(1)[0].id == event["id"]

    def test_is_for_administrators_and_keys(self, service: Outside) -> None:
        ada = service.person()
        assert publish(service, service.root.headers, user_id=ada.id).status_code == 202
        assert refused(publish(service, ada.headers)) == (403, "forbidden")
        assert refused(publish(service, {})) == (401, "unauthenticated")

    @pytest.mark.parametrize("kind", ["a", "a" * 64, "az09._:-"])
    def test_takes_a_type(self, service: Outside, publisher: Headers, kind: str) -> None:
        ada = service.person()
        assert publish(service, publisher, user_id=ada.id, type=kind).status_code == 202

    @pytest.mark.parametrize(
        "kind",
        [
            *("", "a" * 65, "A", "a b", "a\n", "ü"),
            *("resync", "notification.created", "notification.read", "user.updated"),
            *("user.suspended", "file.ready"),
        ],
    )
    def test_takes_no_other_type(self, service: Outside, publisher: Headers, kind: str) -> None:
        assert refused(publish(service, publisher, type=kind)) == (400, "invalid_request")

    def test_takes_an_object_of_at_most_64_kib(self, service: Outside, publisher: Headers) -> None:
        ada = service.person()
        most = {"k": "x" * (DATA_BYTES - len('{"k":""}'))}
        assert publish(service, publisher, user_id=ada.id, data=most).status_code == 202
        wrong: list[Any] = [{"k": most["k"] + "x"}, [], None, "text"]
        for bad in wrong:
            assert refused(publish(service, publisher, data=bad)) == (400, "invalid_request")

    def test_to_an_unknown_user_is_a_404(self, service: Outside, publisher: Headers) -> None:
        assert refused(publish(service, publisher, user_id=NOBODY)) == (404, "not_found")


class TestStream:
    def test_is_an_event_stream_that_nobody_buffers(self, service: Outside) -> None:
        with service.listening(headers=service.person().headers) as stream:
            headers = stream.response.headers
        assert headers["Content-Type"].startswith("text/event-stream")
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert headers["X-Request-ID"]

    def test_begins_with_retry_and_a_bare_id(self, service: Outside) -> None:
        ada = service.person()
        frames = []
        for _ in range(5):
            with service.listening(headers=ada.headers) as stream:
                frames.append(stream.begin())
        assert all(frame.id and frame.data is None for frame in frames)
        assert len({frame.retry for frame in frames}) > 1  # with jitter

    def test_carries_type_and_data(self, service: Outside, publisher: Headers) -> None:
        ada = service.person()
        with service.listening(headers=ada.headers) as stream:
            stream.begin()
            tell(service, publisher, ada, 1)
            (event,) = stream.next_events(1)
        assert (event.type, event.json) == ("x", {"type": "x", "data": {"n": 1}})

    def test_is_ones_own_and_everybodys(self, service: Outside, publisher: Headers) -> None:
        ada, bob = service.person(), service.person()
        with service.listening(headers=ada.headers) as stream:
            begin = stream.begin()
            tell(service, publisher, bob, 1)
            data_of(publish(service, publisher, type="news", data={"n": 2}), 202)
            tell(service, publisher, ada, 3)
            assert numbers_of(stream.next_events(2)) == [2, 3]
        again = ada.headers | {"Last-Event-ID": str(begin.id)}
        with service.listening(headers=again) as stream:
            assert numbers_of(stream.next_events(2)) == [2, 3]

    def test_ends_with_its_token(self, service: Outside) -> None:
        token = service.sign(new_email(), expires_in=2.0)
        expiry = time.time() + 2
        headers = {"Authorization": f"Bearer {token}"}
        with service.listening(headers=headers) as stream:
            assert stream.response.status_code == 200 or time.time() >= expiry
            stream.until(lambda _: False)
        assert time.time() >= expiry - 0.5

    def test_is_one_of_at_most_ten(self, service: Outside) -> None:
        ada = service.person()
        with ExitStack() as stack:
            for _ in range(10):
                stream = stack.enter_context(service.listening(headers=ada.headers))
                assert stream.response.status_code == 200
            answer = service.api.get("/events", headers=ada.headers)
            assert refused(answer) == (429, "rate_limited")
            assert int(answer.headers["Retry-After"]) > 0
            bob = stack.enter_context(service.listening(headers=service.person().headers))
            assert bob.response.status_code == 200

    def test_of_administrators_is_everyones(self, service: Outside, publisher: Headers) -> None:
        ada = service.person()
        with service.listening("/admin/events", service.root.headers) as stream:
            stream.begin()
            tell(service, publisher, ada, 1)
            found = stream.until(
                lambda parser: [e for e in parser.events if e.json["user_id"] == ada.id]
            ).events[-1]
            assert found.json == {"type": "x", "user_id": ada.id, "data": {"n": 1}}


class TestReplay:
    @pytest.mark.parametrize("by", ["header", "query"])
    def test_has_every_event_missed_once_and_in_order(
        self, service: Outside, publisher: Headers, by: str
    ) -> None:
        ada = service.person()
        with service.listening(headers=ada.headers) as stream:
            stream.begin()
            tell(service, publisher, ada, 1, 2)
            last = str(stream.next_events(2)[1].id)
        tell(service, publisher, ada, 3, 4)
        given, query = (
            ({"Last-Event-ID": last}, "") if by == "header" else ({}, f"?last_event_id={last}")
        )
        with service.listening(f"/events{query}", ada.headers | given) as stream:
            assert numbers_of(stream.next_events(2)) == [3, 4]
            tell(service, publisher, ada, 5)  # live, with no gap
            assert numbers_of(stream.next_events(3)) == [3, 4, 5]

    def test_misses_nothing_before_the_first_event(
        self, service: Outside, publisher: Headers
    ) -> None:
        ada = service.person()
        with service.listening(headers=ada.headers) as stream:
            position = str(stream.begin().id)
        tell(service, publisher, ada, 1)
        with service.listening(headers=ada.headers | {"Last-Event-ID": position}) as stream:
            assert numbers_of(stream.next_events(1)) == [1]

    @pytest.mark.parametrize("given", ["odd", "0-0", "ü", "x" * 500, "another user's"])
    def test_is_resync_for_an_id_that_is_none_of_ones_own(
        self, service: Outside, publisher: Headers, given: str
    ) -> None:
        ada = service.person()
        if given == "another user's":
            bob = service.person()
            with service.listening(headers=bob.headers) as stream:
                stream.begin()
                tell(service, publisher, bob, 1)
                given = str(stream.next_events(1)[0].id)
        tell(service, publisher, ada, 1)
        with service.listening(f"/events?last_event_id={given}", ada.headers) as stream:
            (event,) = stream.next_events(1)
            assert (event.type, event.json) == ("resync", {"type": "resync", "data": {}})
            tell(service, publisher, ada, 2)
            assert numbers_of(stream.next_events(2)[1:]) == [2]
        with service.listening(headers=ada.headers | {"Last-Event-ID": str(event.id)}) as stream:
            assert numbers_of(stream.next_events(1)) == [2]


class TestTicket:
    def take(self, service: Outside, person: Person) -> str:
        ticket = data_of(service.api.post("/events/ticket", headers=person.headers))
        assert set(ticket) == {"ticket", "expires_in"}
        assert ticket["expires_in"] == 30
        return str(ticket["ticket"])

    def test_opens_one_stream_once(self, service: Outside, publisher: Headers) -> None:
        ada = service.person()
        ticket = self.take(service, ada)
        with service.listening(f"/events?ticket={ticket}") as stream:
            stream.begin()
            tell(service, publisher, ada, 1)
            assert numbers_of(stream.next_events(1)) == [1]
        again = service.api.get(f"/events?ticket={ticket}")
        assert refused(again) == (401, "unauthenticated")

    def test_that_is_none_is_a_401(self, service: Outside) -> None:
        assert refused(service.api.get("/events?ticket=odd")) == (401, "unauthenticated")
        assert refused(service.api.get("/events")) == (401, "unauthenticated")

    def test_beside_a_token_is_a_400(self, service: Outside) -> None:
        ada = service.person()
        path = f"/events?ticket={self.take(service, ada)}"
        assert refused(service.api.get(path, headers=ada.headers)) == (400, "invalid_request")

    def test_stands_in_no_log(self, service: Outside) -> None:
        ticket = self.take(service, service.person())
        service.api.get(f"/events?ticket={ticket}x")
        assert ticket not in service.program.log_file.read_text()


class TestOwnTypes:
    """`file.ready` and `user.suspended` as well, in the order in which a client would meet them."""

    def test_come_with_their_fields(self, service: Outside) -> None:
        ada = service.person()
        with service.listening(headers=ada.headers) as stream:
            stream.begin()
            body = {"user_id": ada.id, "title": "t", "body": "b", "data": {"k": "v"}}
            sent = service.api.post("/notifications", headers=service.root.headers, json=body)
            (notification,) = data_of(sent, 202)["ids"]
            service.api.post(f"/notifications/{notification}/read", headers=ada.headers)
            service.api.put("/auth/me", headers=ada.headers, json={"name": "Ada"})
            service.api.post("/files", headers=ada.headers, files={"file": ("a.txt", b"x")})
            stream.next_events(4)
            path = f"/admin/users/{ada.id}"
            service.api.patch(path, headers=service.root.headers, json={"status": "suspended"})
            events = stream.until(lambda _: False).events  # which ends the stream
        by_type = {str(event.type): event.json["data"] for event in events}
        assert set(by_type) == {
            *("notification.created", "notification.read", "user.updated", "file.ready"),
            "user.suspended",
        }
        created = by_type["notification.created"]
        assert set(created) == {"id", "title", "body", "data", "created_at"}
        assert (created["id"], created["data"]) == (notification, {"k": "v"})
        assert re.fullmatch(r"[0-9T:.-]+Z", created["created_at"])
        assert events[-1].type == "user.suspended"
