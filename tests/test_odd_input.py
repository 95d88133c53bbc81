"""What nobody should send, sent to the real program: refused or dropped, and others are served."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.support.program import Program, environment, run_program, running_program, token_for

pytestmark = pytest.mark.xdist_group("odd input")  # one program for all

HUNDREDS = 300
SECONDS = 8.0  # a request takes milliseconds; one that waited for half of one, 10 seconds
BODY_BYTES = 100 * 1024 * 1024
MEMORY_BYTES = 30 * 1024 * 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd")


@pytest.fixture(scope="module")
def program(folder: Path) -> Iterator[Program]:
    env = environment(folder / "data", RATE_LIMIT_FAILED_SIGN_IN="off")
    with running_program("--role=api", env=env, cwd=folder) as program:
        yield program


@pytest.fixture(scope="module")
def api(program: Program) -> str:
    return program.api


@pytest.fixture(scope="module")
def client(api: str, folder: Path) -> Iterator[httpx.Client]:
    """An administrator's client, so that every route lets it in."""
    env = environment(folder / "data")
    run_program("admin", "grant", "root@example.com", env=env, cwd=folder)
    token = token_for("root@example.com", env)
    with httpx.Client(base_url=api, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


def send(api: str, data: bytes) -> socket.socket:
    address = urlsplit(api)
    connection = socket.create_connection((address.hostname or "", address.port or 0), SECONDS)
    connection.sendall(data)
    return connection


DEEP = b"[" * 10_000 + b"]" * 10_000
BODIES = {
    "NUL as text": b'{"name": "a\\u0000b"}',
    "NUL as a byte": b'{"name": "a\x00b"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "surrogate as bytes": b'{"name": "\xed\xa0\x80"}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "Ada"}'.encode("utf-16"),
    "nested arrays": b'{"name": ' + DEEP + b"}",
    "nothing but arrays": DEEP,
    "1e400": b'{"name": 1e400}',
    "a number of 5,000 digits": b'{"name": ' + b"9" * 5000 + b"}",
    "NaN": b'{"name": NaN}',
    "two documents": b'{"name": "Ada"}{"name": "Bob"}',
    "nothing": b"",
    "not closed": b'{"name": "Ada"',
    "no object": b'"name"',
}
ROUTES = [("PUT", "/auth/me"), ("POST", "/admin/jobs/bulk"), ("POST", "/events")]


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_none_is_a_400(
    client: httpx.Client, body: str, route: tuple[str, str]
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.request(*route, content=BODIES[body], headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    "value", ["1e400", "-1e400", "NaN", "Infinity", '"\\ud800"', DEEP.decode()]
)
def test_so_is_one_of_values_that_json_cannot_carry_on(client: httpx.Client, value: str) -> None:
    body = f'{{"type": "x.y", "data": {{"value": {value}}}}}'.encode()
    headers = {"Content-Type": "application/json"}
    assert client.post("/events", content=body, headers=headers).status_code == 400


def test_of_a_key_that_comes_twice_the_last_counts(client: httpx.Client) -> None:
    """Nothing in front of us judges a body by another reading of it."""
    headers = {"Content-Type": "application/json"}
    body = b'{"name": "Ada", "name": "Grace"}'
    answer = client.put("/auth/me", content=body, headers=headers)
    assert answer.json()["data"]["name"] == "Grace"


@pytest.mark.parametrize(
    "text",
    [
        *("%00", "%ff%fe", "%ed%a0%80", "%2e%2e%2f", "'%22--", "%F0%9F%A6%9C"),
        *("a" * 300, "a/" * 3000, "%F0%9F%A6%9C" * 300),  # longer than a file's name or path may be
    ],
    ids=lambda text: text[:20],
)
def test_a_parameter_or_path_may_be_odd(client: httpx.Client, text: str) -> None:
    for path in ("/admin/jobs?q=", "/admin/users?q=", "/admin/audit-log?target_id="):
        assert client.get(path + text).status_code in (200, 400)
    for path in ("/admin/jobs/", "/users/", "/files/", "/storage/", "/docs/"):
        assert client.get(path + text).status_code in (400, 401, 403, 404)
    for path in (f"/admin/queues/{text}/pause", f"/admin/crons/{text}/run"):
        assert client.post(path).status_code == 404
    headers = {"Last-Event-ID": text, "Idempotency-Key": text, "X-Request-ID": text}
    assert client.get(f"/events?ticket={text}", headers=headers).status_code in (400, 401)
    body = {"user_id": str(uuid4()), "title": "Hello", "body": "Bob"}
    assert client.post("/notifications", headers=headers, json=body).status_code in (400, 404)


@pytest.mark.parametrize("name", ["index.html", "oauth2-redirect.html", "LICENSE", "x.css"])
def test_the_documents_page_has_no_files_but_its_own(client: httpx.Client, name: str) -> None:
    assert client.get("/docs/" + name).status_code == 404


@pytest.mark.parametrize(
    "head",
    [
        {"If-Modified-Since": f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"},
        {"If-Modified-Since": f"Mon, 01 Jan 2026 00:00:00 +{'9' * 14}"},
        {"If-Range": f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", "Range": "bytes=0-1"},
        {"If-Modified-Since": "yesterday"},
    ],
    ids=str,
)
def test_a_condition_with_an_odd_date_is_none(client: httpx.Client, head: dict[str, str]) -> None:
    assert client.get("/docs/swagger-ui.css", headers=head).status_code == 200


@pytest.mark.parametrize("text", ["bytes=0-1,4-5", f"bytes={'9' * 5000}-", "bytes=5-4", "bytes=-"])
def test_an_odd_range_is_ignored_or_refused(client: httpx.Client, text: str) -> None:
    answer = client.get("/docs/swagger-ui.css", headers={"Range": text})
    assert answer.status_code in (200, 206, 400, 416)


@pytest.mark.parametrize(
    "head",
    [
        b"X-Large: " + b"x" * 100_000,
        b"\r\n".join(b"X-%d: y" % number for number in range(10_000)),
        b"X-Request-ID: a\x00b",
        b"Content-Length: -1",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Transfer-Encoding: chunked\r\nContent-Length: 1",
        b"Authorization: Bearer \xff\xfe",
    ],
    ids=lambda head: str(head[:20]),
)
def test_an_odd_head_is_refused_or_dropped(api: str, head: bytes) -> None:
    data = b"GET /auth/me HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n"
    try:
        with send(api, data) as connection:
            answer = connection.recv(1000)
    except ConnectionError:
        answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_hundred_megabytes_are_refused_and_never_held(
    program: Program, api: str, client: httpx.Client, chunked: bool
) -> None:
    kind = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % BODY_BYTES
    credentials = client.headers["Authorization"].encode()
    head = b"PUT /auth/me HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += b"Authorization: " + credentials + b"\r\n" + kind + b"\r\n\r\n"
    piece = b"x" * 65_536
    before = memory_of(program)
    with send(api, head) as connection:
        with suppress(OSError):  # it may hang up on us
            for _ in range(BODY_BYTES // len(piece)):
                connection.sendall(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    assert memory_of(program) - before < MEMORY_BYTES
    assert client.get("/auth/me").status_code == 200


def memory_of(program: Program) -> int:
    """The most memory that it ever had, in bytes."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_half_sent_requests_keep_nobody_waiting(api: str, client: httpx.Client) -> None:
    halves = [
        b"GET /auth/me HT",
        b"GET /auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Be",
        b"PUT /auth/me HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{",
        b"",
    ]
    with ExitStack() as stack:
        for number in range(HUNDREDS):
            stack.enter_context(send(api, halves[number % len(halves)]))
        began = time.monotonic()
        for _ in range(20):
            assert client.get("/auth/me").status_code == 200
        assert time.monotonic() - began < SECONDS
    assert json.loads(client.get("/health").content) == {"status": "ok"}
