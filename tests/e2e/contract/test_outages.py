"""Section 4, 503: what is refused while Redis is away, and what is not; "an outage is never a 401".

A worker's patience, and that all recovers by itself: tests/e2e/test_redis_away.py. Databases that
are away: tests/database/test_outage.py, on PostgreSQL and MariaDB by `make test-databases`.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.outside import Outside, data_of, refused, wait_until
from tests.support.program import environment, running_program
from tests.support.valkey import Valkey, running_valkey

pytestmark = pytest.mark.xdist_group("contract: outages")

Request = tuple[str, str, Any]

REFUSED: list[Request] = [
    ("GET", "/events", None),
    ("POST", "/events", {"type": "x", "data": {}}),
    ("POST", "/events/ticket", None),
    ("GET", "/admin/queues", None),
    ("POST", "/admin/queues/low/pause", None),
    ("GET", "/admin/jobs", None),
    ("GET", "/admin/jobs/none", None),
    ("POST", "/admin/jobs/none/retry", None),
    ("POST", "/admin/jobs/bulk", {"action": "retry", "filter": {}}),
    ("GET", "/admin/crons", None),
    ("POST", "/admin/crons/sync-data/run", None),
    ("GET", "/admin/workers", None),
    ("GET", "/admin/events", None),
]
SERVED: list[Request] = [
    ("GET", "/health", None),
    ("GET", "/metrics", None),
    ("GET", "/openapi.json", None),
    ("GET", "/auth/me", None),
    ("PUT", "/auth/me", {"name": "Root"}),
    ("POST", "/devices", {"token": "t", "platform": "web"}),
    ("GET", "/devices", None),
    ("GET", "/notifications", None),
    ("POST", "/notifications/read-all", None),
    ("POST", "/notifications", {"all": True, "title": "t", "body": "b"}),
    ("POST", "/files/uploads", {"filename": "a", "content_type": "text/plain", "size": 1}),
    ("GET", "/files", None),
    ("GET", "/admin/users", None),
    ("POST", "/admin/api-keys", {"name": "k", "scopes": ["metrics:read"]}),
    ("GET", "/admin/api-keys", None),
    ("GET", "/admin/audit-log", None),
    ("GET", "/admin/stats", None),
]


class Cut:
    """The program after Redis went away, and what was prepared before."""

    def __init__(self, service: Outside, valkey: Valkey) -> None:
        self.service = service
        self.known = service.person()
        self.key = service.key("notifications:send")
        ticket = service.api.post("/events/ticket", headers=self.known.headers)
        self.ticket = data_of(ticket)["ticket"]
        valkey.kill()
        wait_until(lambda: service.api.get("/ready").status_code == 503)

    def ask(self, method: str, path: str, body: Any) -> httpx.Response:
        options = {} if body is None else {"json": body}
        return self.service.api.request(method, path, headers=self.service.root.headers, **options)


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with running_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def cut(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cut]:
    folder = tmp_path_factory.mktemp("outage")
    env = environment(folder / "data", REDIS_URL=valkey.url, RATE_LIMIT_FAILED_SIGN_IN="off")
    with running_program("--role=api", env=env, cwd=folder) as program:
        service = Outside(program, env, folder)
        with service.api:
            yield Cut(service, valkey)


def test_ready_says_what_is_away(cut: Cut) -> None:
    answer = cut.service.api.get("/ready")
    checks = {"database": "ok", "redis": "unavailable", "migrations": "ok"}
    assert answer.json() == {"status": "unavailable", "checks": checks}


@pytest.mark.parametrize("request_", REFUSED, ids=lambda one: f"{one[0]} {one[1]}")
def test_what_cannot_do_without_refuses(cut: Cut, request_: Request) -> None:
    answer = cut.ask(*request_)
    assert refused(answer) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("request_", SERVED, ids=lambda one: f"{one[0]} {one[1]}")
def test_everything_else_is_served(cut: Cut, request_: Request) -> None:
    assert cut.ask(*request_).status_code in (200, 201, 202)


def test_tokens_known_and_unknown_are_good(cut: Cut) -> None:
    me = cut.service.api.get("/auth/me", headers=cut.known.headers)
    assert data_of(me)["id"] == cut.known.id
    assert cut.service.person().id


def test_keys_are_good_and_what_they_send_is_accepted(cut: Cut) -> None:
    headers = cut.key | {"Idempotency-Key": uuid4().hex}
    body = {"user_id": cut.known.id, "title": "t", "body": "b"}
    first, second = (
        cut.service.api.post("/notifications", headers=headers, json=body) for _ in range(2)
    )
    assert data_of(first, 202) == data_of(second, 202)


def test_a_ticket_is_not_refused_for_it(cut: Cut) -> None:
    answer = cut.service.api.get(f"/events?ticket={cut.ticket}")
    assert refused(answer) == (503, "unavailable")


def test_bad_credentials_are_still_a_401(cut: Cut) -> None:
    for headers in ({"Authorization": "Bearer x.y.z"}, {"X-API-Key": "myapp_x"}):
        answer = cut.service.api.get("/auth/me", headers=headers)
        assert refused(answer) == (401, "unauthenticated")
