"""Section 4: the envelope, statuses and codes, credentials, and the routes of the system."""

import re
import socket
from urllib.parse import urlsplit

import pytest

from tests.support.outside import Outside, data_of, new_email, refused

pytestmark = pytest.mark.xdist_group("contract")

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
BODY_BYTES = 1024 * 1024
JSON = {"Content-Type": "application/json"}


def raw(service: Outside, request: bytes) -> bytes:
    """What the program answers to these bytes."""
    address = urlsplit(str(service.api.base_url))
    with socket.create_connection((address.hostname or "", address.port or 0), 30) as connection:
        connection.sendall(request)
        pieces = iter(lambda: connection.recv(65536), b"")
        return b"".join(pieces)


class TestEnvelope:
    def test_of_an_object_has_data_alone(self, service: Outside) -> None:
        ada = service.person()
        answer = service.api.get("/auth/me", headers=ada.headers)
        assert set(answer.json()) == {"success", "data"}
        assert answer.headers["Content-Type"] == "application/json"

    def test_of_a_list_has_meta(self, service: Outside) -> None:
        answer = service.api.get("/devices", headers=service.person().headers)
        assert data_of(answer) == []
        assert answer.json()["meta"] == {"page": 1, "per_page": 20, "total": 0, "total_pages": 0}

    def test_of_an_error_names_the_fields(self, service: Outside) -> None:
        answer = service.api.put("/auth/me", headers=service.person().headers, json={"phone": "1"})
        assert refused(answer) == (400, "invalid_request")
        assert [detail["field"] for detail in answer.json()["details"]] == ["phone"]

    def test_has_times_in_utc_with_z(self, service: Outside) -> None:
        me = data_of(service.api.get("/auth/me", headers=service.person().headers))
        assert TIME.fullmatch(me["created_at"])

    @pytest.mark.parametrize("given", ["a", "aZ0._-", "x" * 128])
    def test_has_the_callers_request_id(self, service: Outside, given: str) -> None:
        answer = service.api.get("/nowhere", headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == given

    @pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a/b", "ü"])
    def test_has_a_new_request_id_for_one_that_is_not_sane(
        self, service: Outside, given: str
    ) -> None:
        answer = service.api.get("/health", headers={b"X-Request-ID": given.encode()})
        assert answer.headers["X-Request-ID"] not in (given, "")

    @pytest.mark.parametrize(
        "request_line", [b"GARBAGE", b"GET / HTTP/9.9", b"GET /\xff HTTP/1.1", b"BREW / HTTP/1.1"]
    )
    def test_stands_around_what_is_no_http(self, service: Outside, request_line: bytes) -> None:
        answer = raw(service, request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"x-request-id:" in head.lower()
        assert b'"invalid_request"' in body


class TestStatus:
    def test_400_malformed_json(self, service: Outside) -> None:
        answer = service.api.post("/auth/verify", headers=JSON, content=b"{bad")
        assert refused(answer) == (400, "invalid_request")

    @pytest.mark.parametrize(
        "query",
        ["page=0", "page=-1", "page=x", "page=1.5", "per_page=0", "per_page=101", "odd=1"],
    )
    def test_400_a_bad_parameter(self, service: Outside, query: str) -> None:
        for path in ("/devices", "/notifications", "/files", "/admin/users", "/admin/jobs"):
            answer = service.api.get(f"{path}?{query}", headers=service.root.headers)
            assert refused(answer) == (400, "invalid_request"), path

    @pytest.mark.parametrize(("query", "page"), [("per_page=100", 1), ("page=1000", 1000)])
    def test_a_page_may_lie_beyond_the_end(self, service: Outside, query: str, page: int) -> None:
        answer = service.api.get(f"/devices?{query}", headers=service.person().headers)
        assert (data_of(answer), answer.json()["meta"]["page"]) == ([], page)

    def test_401_no_credentials(self, service: Outside) -> None:
        answer = service.api.get("/auth/me")
        assert refused(answer) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"]

    @pytest.mark.parametrize("path", ["/nowhere", "/auth/me/", "//auth/me", "/users/no-id"])
    def test_404(self, service: Outside, path: str) -> None:
        assert refused(service.api.get(path, headers=service.person().headers)) == (
            404,
            "not_found",
        )

    def test_405(self, service: Outside) -> None:
        answer = service.api.delete("/auth/verify")
        assert refused(answer) == (405, "method_not_allowed")
        assert "POST" in answer.headers["Allow"]

    @pytest.mark.parametrize(
        ("over", "expected"), [(0, (400, "invalid_request")), (1, (413, "too_large"))]
    )
    def test_413_beyond_a_mebibyte_of_json(
        self, service: Outside, over: int, expected: tuple[int, str]
    ) -> None:
        body = b'{"a":"%s"}' % (b"x" * (BODY_BYTES - len(b'{"a":""}') + over))
        answer = service.api.post("/auth/verify", headers=JSON, content=body)
        assert refused(answer) == expected

    def test_415_another_type_of_body(self, service: Outside) -> None:
        answer = service.api.post("/auth/verify", data={"token": "x"})
        assert refused(answer) == (415, "unsupported_media_type")

    def test_head_is_get_without_a_body(self, service: Outside) -> None:
        ada = service.person()
        head = service.api.head("/auth/me", headers=ada.headers)
        assert (head.status_code, head.content) == (200, b"")
        got = service.api.get("/auth/me", headers=ada.headers)
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


class TestCredentials:
    def test_a_token_as_bearer(self, service: Outside) -> None:
        ada = service.person()
        for scheme in ("Bearer", "bearer"):
            answer = service.api.get("/auth/me", headers={"Authorization": f"{scheme} {ada.token}"})
            assert data_of(answer)["id"] == ada.id

    def test_another_scheme_is_a_401(self, service: Outside) -> None:
        ada = service.person()
        for value in (f"Basic {ada.token}", ada.token, "Bearer", f"Bearer {ada.token} x"):
            answer = service.api.get("/auth/me", headers={"Authorization": value})
            assert refused(answer) == (401, "unauthenticated"), value[:8]

    def test_a_token_that_was_tampered_with_is_a_401_also_after_the_right_one(
        self, service: Outside
    ) -> None:
        token = service.person().token
        head, claims, signature = token.split(".")
        none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
        swapped = signature[:5] + ("A" if signature[5] != "A" else "B") + signature[6:]
        for bad in (f"{head}.{claims}.{swapped}", f"{none}.{claims}.", token[:-6], "short"):
            answer = service.api.get("/auth/me", headers={"Authorization": f"Bearer {bad}"})
            assert refused(answer) == (401, "unauthenticated")

    def test_an_expired_token_is_a_401(self, service: Outside) -> None:
        token = service.sign(new_email(), expires_in=-1)
        assert refused(service.api.post("/auth/verify", json={"token": token})) == (
            401,
            "unauthenticated",
        )

    def test_both_at_once_are_a_400(self, service: Outside) -> None:
        both = service.person().headers | service.key("metrics:read")
        assert refused(service.api.get("/auth/me", headers=both)) == (400, "invalid_request")

    def test_a_missing_scope_is_a_403(self, service: Outside) -> None:
        key = service.key("accounts:read")
        for path in ("/events", "/notifications"):
            answer = service.api.post(path, headers=key, json={})
            assert refused(answer) == (403, "forbidden"), path
        assert refused(service.api.get("/metrics", headers=key)) == (403, "forbidden")

    def test_a_missing_role_is_a_403_and_no_key_has_it(self, service: Outside) -> None:
        every = ["notifications:send", "events:publish", "accounts:read", "accounts:write"]
        for headers in (service.person().headers, service.key(*every)):
            for path in (
                "users",
                "queues",
                "jobs",
                "crons",
                "workers",
                "api-keys",
                "audit-log",
                "stats",
                "events",
            ):
                answer = service.api.get(f"/admin/{path}", headers=headers)
                assert refused(answer) == (403, "forbidden"), path

    def test_a_key_is_no_user(self, service: Outside) -> None:
        for path in ("/auth/me", "/devices", "/notifications", "/files", "/events"):
            answer = service.api.get(path, headers=service.key("metrics:read"))
            assert refused(answer) == (403, "forbidden"), path


class TestSystem:
    def test_health(self, service: Outside) -> None:
        assert service.api.get("/health").json() == {"status": "ok"}

    def test_ready(self, service: Outside) -> None:
        answer = service.api.get("/ready")
        checks = {"database": "ok", "redis": "ok", "migrations": "ok"}
        assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": checks})

    def test_metrics_are_for_administrators_keys_and_loopback_in_development(
        self, service: Outside
    ) -> None:
        for headers in ({}, service.root.headers, service.key("metrics:read")):
            answer = service.api.get("/metrics", headers=headers)
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        bad = service.api.get("/metrics", headers={"Authorization": "Bearer x"})
        assert refused(bad) == (401, "unauthenticated")

    def test_openapi_is_3_1_and_public(self, service: Outside) -> None:
        answer = service.api.get("/openapi.json")
        assert answer.json()["openapi"].startswith("3.1.")

    def test_docs_have_no_asset_of_another_host(self, service: Outside) -> None:
        page = service.api.get("/docs")
        assert page.headers["Content-Type"].startswith("text/html")
        assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert assets
        for asset in assets:
            assert urlsplit(asset).netloc == ""
            assert service.api.get(asset).status_code == 200

    def test_the_page_for_development(self, service: Outside) -> None:
        """What it does is tried in Chromium: tests/e2e/test_event_page.py."""
        page = service.api.get("/")
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")

    def test_every_route_of_the_contract_is_documented(self, service: Outside) -> None:
        paths = service.api.get("/openapi.json").json()["paths"]
        operations = {
            f"{method.upper()} {re.sub('{[^}]+}', '{}', path)}"
            for path, methods in paths.items()
            for method in methods
        }
        assert operations >= set(ROUTES.split("\n")), set(ROUTES.split("\n")) - operations


ROUTES = """GET /health
GET /ready
GET /metrics
POST /auth/verify
GET /auth/me
PUT /auth/me
DELETE /auth/me
PUT /auth/me/avatar
DELETE /auth/me/avatar
GET /users/{}
POST /devices
GET /devices
DELETE /devices/{}
GET /notifications
POST /notifications
POST /notifications/{}/read
POST /notifications/read-all
GET /events
POST /events
POST /events/ticket
POST /files
GET /files
POST /files/uploads
POST /files/{}/complete
GET /files/{}
DELETE /files/{}
GET /files/{}/content
GET /storage/{}
PUT /storage/{}
GET /admin/users
GET /admin/users/{}
PATCH /admin/users/{}
DELETE /admin/users/{}
POST /admin/users/{}/restore
GET /admin/queues
POST /admin/queues/{}/pause
POST /admin/queues/{}/resume
GET /admin/jobs
GET /admin/jobs/{}
DELETE /admin/jobs/{}
POST /admin/jobs/{}/retry
POST /admin/jobs/{}/cancel
POST /admin/jobs/bulk
GET /admin/crons
POST /admin/crons/{}/run
POST /admin/crons/{}/pause
POST /admin/crons/{}/resume
GET /admin/workers
GET /admin/api-keys
POST /admin/api-keys
DELETE /admin/api-keys/{}
POST /admin/api-keys/{}/rotate
GET /admin/audit-log
GET /admin/stats
GET /admin/events"""
