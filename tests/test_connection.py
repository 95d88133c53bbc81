"""Our connection class under the real server, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from quart import Quart, Response, request, send_file
from structlog.testing import capture_logs
from werkzeug.exceptions import ClientDisconnected, HTTPException

from myapp.connection import Connection, Request, abort_connection
from myapp.errors import NotFound
from myapp.listener import bind
from myapp.server import serve

FILE = Path(__file__)
CONTENT = FILE.read_bytes()
LIMIT = 100_000
MEBIBYTE = 1024 * 1024
MOMENT = 0.05


@dataclass
class Seen:
    """What the handlers saw, for the tests to look at."""

    events: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def note(self, event: str) -> None:
        async with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    async def wait_for(self, event: str) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: event in self.events)


def make_app(seen: Seen, *, body_timeout: float = 5.0) -> Quart:
    app = Quart(__name__)
    app.asgi_http_class = Connection
    app.request_class = Request
    app.config.update(MAX_CONTENT_LENGTH=LIMIT, BODY_TIMEOUT=body_timeout)
    add_plain_routes(app, seen)
    add_body_routes(app, seen)
    add_stream_routes(app, seen)
    add_broken_streams(app)

    @app.errorhandler(HTTPException)
    async def answer_http_exception(error: HTTPException) -> Response:
        if isinstance(error, ClientDisconnected):
            await seen.note("disconnected")
        return Response(str(error.code), status=error.code)

    @app.after_request
    def mark(response: Response) -> Response:
        response.headers["X-After"] = "yes"
        return response

    @app.teardown_request
    async def tear_down(_: BaseException | None) -> None:
        await seen.note("torn down")

    return app


def add_plain_routes(app: Quart, seen: Seen) -> None:
    @app.get("/plain")
    async def plain() -> str:
        await seen.note("called")
        return "hello"

    @app.get("/slow")
    async def slow() -> str:
        await seen.note("began")
        await seen.go_on.wait()
        await seen.note("committed")
        return "done"

    @app.get("/status/<int:code>")
    async def status(code: int) -> tuple[str, int]:
        return "text", code

    @app.get("/broken")
    async def broken() -> str:
        raise ZeroDivisionError

    @app.get("/cancelled")
    async def cancelled() -> str:
        other = asyncio.create_task(asyncio.sleep(60))
        other.cancel()
        await other
        return "never"


def add_body_routes(app: Quart, seen: Seen) -> None:
    @app.post("/json")
    async def post_json() -> dict[str, Any]:
        return {"got": await request.get_json()}

    @app.post("/count")
    async def count() -> str:
        request.max_content_length = None
        total = 0
        async for piece in request.body:
            await seen.go_on.wait()
            total += len(piece)
        return str(total)

    @app.post("/large")
    async def large() -> str:
        request.max_content_length = 64 * MEBIBYTE
        return str(len(await request.get_data()))

    @app.post("/patient")
    async def patient() -> str:
        request.body.timeout = 5  # type: ignore[attr-defined]  # our Body
        return str(len(await request.get_data()))

    @app.post("/refuse")
    async def refuse() -> tuple[str, int]:
        return "no", 401

    @app.post("/form")
    async def form() -> dict[str, str]:
        return dict(await request.form)

    @app.post("/twice")
    async def twice() -> list[str]:
        return [str(await request.get_data(as_text=True)) for _ in range(2)]


def add_stream_routes(app: Quart, seen: Seen) -> None:
    @app.route("/ticks", methods=["GET", "POST"])
    async def ticks() -> Response:
        async def generate() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await seen.go_on.wait()
                yield b"second"
            finally:
                await seen.note("closed")

        response = Response(generate())
        response.timeout = None
        return response

    @app.get("/flood")
    async def flood() -> Response:
        scope = request.scope

        async def generate() -> AsyncIterator[bytes]:
            asyncio.get_running_loop().call_later(0.3, abort_connection, scope)
            try:
                while True:
                    yield bytes(MEBIBYTE)
            finally:
                await seen.note("closed")

        response = Response(generate())
        response.timeout = None
        return response

    @app.get("/late")
    async def late() -> Response:
        async def generate() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.sleep(60)

        response = Response(generate())
        response.timeout = 0.2
        return response

    @app.get("/file")
    async def file() -> Response:
        return await send_file(FILE, conditional=True, mimetype="text/plain")


def add_broken_streams(app: Quart) -> None:
    @app.post("/echo")
    async def echo() -> Response:
        return Response(request.body)

    @app.get("/breaks/<int:after>")
    async def breaks(after: int) -> Response:
        async def generate() -> AsyncIterator[bytes]:
            for _ in range(after):
                yield b"piece"
            raise ZeroDivisionError

        return Response(generate())

    @app.get("/gone/<int:after>")
    async def gone(after: int) -> Response:
        async def generate() -> AsyncIterator[bytes]:
            for _ in range(after):
                yield b"piece"
            raise NotFound("It was deleted")

        headers = {"ETag": '"1"', "Content-Length": "10", "Access-Control-Allow-Origin": "*"}
        return Response(generate(), headers=headers)

    @app.get("/short")
    async def short() -> Response:
        return Response(iter([b"12345"]), headers={"Content-Length": "10"})


@asynccontextmanager
async def serving(app: Quart) -> AsyncIterator[int]:
    """Serves the application on a free port."""
    sockets = bind("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    stop, listening = asyncio.Event(), asyncio.Event()
    server = asyncio.create_task(
        serve(app, sockets, stop=stop, drain_seconds=0, deadline=0.5, listening=listening)
    )
    await listening.wait()
    try:
        yield port
    finally:
        stop.set()
        await server


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True


@dataclass
class Client:
    """One connection, spoken to in bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, method: str, path: str, body: bytes = b"", *headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()

    async def read_head(self) -> Answer:
        async with asyncio.timeout(5):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return Answer(int(lines[0].split()[1]), headers, b"")

    async def read(self, *, head_only: bool = False) -> Answer:
        answer = await self.read_head()
        if not head_only:
            async with asyncio.timeout(5):
                if "content-length" in answer.headers:
                    answer.body = await self.reader.readexactly(
                        int(answer.headers["content-length"])
                    )
                elif answer.headers.get("transfer-encoding") == "chunked":
                    await self.read_chunks(answer)
        return answer

    async def read_chunks(self, answer: Answer) -> None:
        try:
            while True:
                size = int(await self.reader.readuntil(b"\r\n"), 16)
                answer.body += (await self.reader.readexactly(size + 2))[:-2]
                if size == 0:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            answer.whole = False

    async def read_piece(self) -> bytes:
        async with asyncio.timeout(5):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def ask(self, method: str, path: str, body: bytes = b"", *headers: str) -> Answer:
        await self.send(method, path, body, *headers)
        return await self.read(head_only=method == "HEAD")

    async def at_end(self) -> bool:
        async with asyncio.timeout(5):
            return await self.reader.read(1) == b""

    async def hang_up(self) -> None:
        self.writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def connecting(port: int) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        client.writer.transport.abort()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def body_timeout() -> float:
    """Override this where a body is to come too slowly."""
    return 5.0


@pytest.fixture
async def client(seen: Seen, body_timeout: float) -> AsyncIterator[Client]:
    app = make_app(seen, body_timeout=body_timeout)
    async with serving(app) as port, connecting(port) as client:
        yield client


class TestPlainAnswers:
    async def test_an_answer_has_its_length_and_passes_through_after_request(
        self, client: Client
    ) -> None:
        answer = await client.ask("GET", "/plain")
        assert (answer.status, answer.body) == (200, b"hello")
        assert answer.headers["content-length"] == "5"
        assert answer.headers["x-after"] == "yes"

    async def test_a_connection_carries_one_request_after_the_other(self, client: Client) -> None:
        for _ in range(3):
            assert (await client.ask("GET", "/plain")).body == b"hello"

    async def test_the_request_is_torn_down(self, client: Client, seen: Seen) -> None:
        await client.ask("GET", "/plain")
        assert seen.events == ["called", "torn down"]

    async def test_a_handler_starts_no_tasks(self) -> None:
        seen = Seen()
        app = make_app(seen)
        tasks: list[int] = []

        @app.get("/tasks")
        async def count_tasks() -> str:
            tasks.append(len(asyncio.all_tasks()))
            return ""

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            raise AssertionError("nobody reads the body")

        before = len(asyncio.all_tasks())
        await app(make_scope("/tasks"), receive, send)
        assert tasks == [before]
        assert [message["type"] for message in sent] == [
            "http.response.start",
            "http.response.body",
        ]
        assert sent[1]["more_body"] is False

    async def test_head_has_the_length_and_no_body(self, client: Client) -> None:
        answer = await client.ask("HEAD", "/plain")
        assert answer.headers["content-length"] == "5"
        assert (await client.ask("GET", "/plain")).body == b"hello"

    @pytest.mark.parametrize("code", [204, 304])
    async def test_a_bodiless_status_leaves_the_connection_in_step(
        self, client: Client, code: int
    ) -> None:
        answer = await client.ask("GET", f"/status/{code}")
        assert answer.status == code
        assert "content-length" not in answer.headers
        assert "transfer-encoding" not in answer.headers
        assert (await client.ask("GET", "/plain")).body == b"hello"

    async def test_a_werkzeug_response_is_sent_whole(self, client: Client) -> None:
        assert (await client.ask("GET", "/nowhere")).body == b"404"

    async def test_a_failing_handler_is_a_500(self, client: Client) -> None:
        assert (await client.ask("GET", "/broken")).status == 500
        assert (await client.ask("GET", "/plain")).status == 200

    async def test_a_cancelled_dependency_is_a_500_and_not_silence(self, client: Client) -> None:
        with capture_logs() as logs:
            answer = await client.ask("GET", "/cancelled")
        assert answer.status == 500
        assert json.loads(answer.body)["code"] == "internal"
        assert any(line["log_level"] == "error" for line in logs)

    async def test_a_hang_up_does_not_interrupt_the_handler(
        self, client: Client, seen: Seen
    ) -> None:
        await client.send("GET", "/slow")
        await seen.wait_for("began")
        await client.hang_up()
        await asyncio.sleep(MOMENT)
        seen.go_on.set()
        await seen.wait_for("committed")
        await seen.wait_for("torn down")

    async def test_pipelined_requests_are_answered_in_order(
        self, client: Client, seen: Seen
    ) -> None:
        seen.go_on.set()
        for path in ("/slow", "/plain", "/slow"):
            await client.send("GET", path)
        bodies = [(await client.read()).body for _ in range(3)]
        assert bodies == [b"done", b"hello", b"done"]


class TestBodies:
    async def test_json_arrives(self, client: Client) -> None:
        body = json.dumps({"a": [1, 2]}).encode()
        answer = await client.ask("POST", "/json", body, "Content-Type: application/json")
        assert json.loads(answer.body) == {"got": {"a": [1, 2]}}
        assert "connection" not in answer.headers

    async def test_json_arrives_in_pieces(self, client: Client) -> None:
        body = json.dumps({"a": "b" * 1000}).encode()
        await client.send(
            "POST", "/json", b"", f"Content-Length: {len(body)}", "Content-Type: application/json"
        )
        for start in range(0, len(body), 200):
            client.writer.write(body[start : start + 200])
            await asyncio.sleep(0.01)
        assert json.loads((await client.read()).body) == {"got": json.loads(body)}

    async def test_a_body_that_is_asked_for_and_absent_is_empty(self, client: Client) -> None:
        assert (await client.ask("POST", "/large")).body == b"0"

    async def test_a_body_can_be_read_twice(self, client: Client) -> None:
        assert json.loads((await client.ask("POST", "/twice", b"abc")).body) == ["abc", "abc"]

    async def test_forms_are_parsed(self, client: Client) -> None:
        answer = await client.ask(
            "POST", "/form", b"a=1&b=2", "Content-Type: application/x-www-form-urlencoded"
        )
        assert json.loads(answer.body) == {"a": "1", "b": "2"}

    async def test_multipart_is_parsed(self, client: Client) -> None:
        body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
        answer = await client.ask(
            "POST", "/form", body, "Content-Type: multipart/form-data; boundary=x"
        )
        assert json.loads(answer.body) == {"a": "1"}

    async def test_a_body_waits_for_its_reader(self, client: Client, seen: Seen) -> None:
        total = 32 * MEBIBYTE
        await client.send("POST", "/count", b"", f"Content-Length: {total}")
        client.writer.write(bytes(total))
        await asyncio.sleep(0.3)
        stuck = client.writer.transport.get_write_buffer_size()
        assert stuck > 16 * MEBIBYTE, "the server took what nobody read"
        seen.go_on.set()
        assert (await client.read()).body == str(total).encode()

    async def test_a_client_asks_before_it_sends(self, client: Client) -> None:
        await client.send("POST", "/large", b"", "Content-Length: 3", "Expect: 100-continue")
        assert (await client.read_head()).status == 100
        client.writer.write(b"abc")
        assert (await client.read()).body == b"3"

    async def test_a_refused_client_is_not_told_to_send(self, client: Client) -> None:
        await client.send("POST", "/refuse", b"", "Content-Length: 3", "Expect: 100-continue")
        answer = await client.read()
        assert answer.status == 401
        assert answer.headers["connection"] == "close"
        assert await client.at_end()


class TestBodyLimits:
    async def test_a_declared_length_over_the_limit_is_refused_before_a_byte_is_read(
        self, client: Client
    ) -> None:
        await client.send(
            "POST",
            "/json",
            b"",
            f"Content-Length: {LIMIT + 1}",
            "Content-Type: application/json",
            "Expect: 100-continue",
        )
        answer = await client.read()
        assert answer.status == 413
        assert answer.headers["connection"] == "close"

    async def test_a_chunked_body_is_refused_where_it_passes_the_limit(
        self, client: Client
    ) -> None:
        headers = ("Content-Type: application/json", "Transfer-Encoding: chunked")
        await client.send("POST", "/json", b"", *headers)
        chunk = b"%x\r\n%s\r\n" % (LIMIT // 4, b"x" * (LIMIT // 4))
        for _ in range(5):
            client.writer.write(chunk)
        answer = await client.read()
        assert answer.status == 413
        assert await client.at_end()

    async def test_a_body_of_just_the_limit_is_taken(self, client: Client) -> None:
        body = b'"' + b"x" * (LIMIT - 2) + b'"'
        answer = await client.ask("POST", "/json", body, "Content-Type: application/json")
        assert answer.status == 200

    async def test_a_handler_can_take_more(self, client: Client) -> None:
        assert (await client.ask("POST", "/large", bytes(LIMIT + 1))).status == 200


class TestSlowBodies:
    @pytest.fixture
    def body_timeout(self) -> float:
        return 0.3

    async def test_a_slow_body_is_a_408(self, client: Client) -> None:
        await client.send(
            "POST", "/json", b"", "Content-Length: 9", "Content-Type: application/json"
        )
        answer = await client.read()
        assert answer.status == 408
        assert await client.at_end()

    async def test_a_dripping_body_is_a_408(self, client: Client) -> None:
        await client.send("POST", "/large", b"", "Content-Length: 99")
        answering = asyncio.create_task(client.read())
        while not answering.done():
            client.writer.write(b"x")
            await asyncio.sleep(0.1)
        assert (await answering).status == 408

    async def test_a_steady_body_may_take_longer(self, client: Client) -> None:
        pieces, piece = 5, bytes(16_384)  # two seconds' worth each, sent in a fifth
        await client.send("POST", "/large", b"", f"Content-Length: {pieces * len(piece)}")
        for _ in range(pieces):
            client.writer.write(piece)
            await asyncio.sleep(0.2)
        assert (await client.read()).status == 200

    async def test_a_handler_can_wait_longer(self, client: Client) -> None:
        await client.send("POST", "/patient", b"", "Content-Length: 1")
        await asyncio.sleep(0.5)
        client.writer.write(b"x")
        assert (await client.read()).body == b"1"

    async def test_a_handlers_own_time_does_not_count(self, client: Client, seen: Seen) -> None:
        await client.send("POST", "/count", b"", "Content-Length: 2")
        client.writer.write(b"x")
        await asyncio.sleep(0.5)
        seen.go_on.set()
        client.writer.write(b"x")
        assert (await client.read()).body == b"2"


class TestUnreadBodies:
    async def test_a_client_amid_a_large_upload_gets_its_answer(self, client: Client) -> None:
        size = 16 * MEBIBYTE
        await client.send("POST", "/refuse", b"", f"Content-Length: {size}")
        client.writer.write(bytes(size))
        answer = await client.read()
        assert (answer.status, answer.body) == (401, b"no")
        assert answer.headers["connection"] == "close"
        assert await client.at_end()

    async def test_a_small_body_that_nobody_read_costs_no_connection(self, client: Client) -> None:
        for _ in range(2):
            answer = await client.ask("POST", "/refuse", b"abc")
            assert answer.status == 401
            assert "connection" not in answer.headers

    async def test_a_hang_up_amid_the_body_is_no_error(self, client: Client, seen: Seen) -> None:
        with capture_logs() as logs:
            await client.send("POST", "/large", b"", "Content-Length: 100")
            client.writer.write(b"x")
            await asyncio.sleep(MOMENT)
            await client.hang_up()
            await seen.wait_for("disconnected")
            await seen.wait_for("torn down")
        assert logs == []


class TestStreams:
    async def test_a_stream_arrives_piece_by_piece(self, client: Client, seen: Seen) -> None:
        await client.send("GET", "/ticks")
        assert (await client.read_head()).headers["transfer-encoding"] == "chunked"
        assert await client.read_piece() == b"first"
        seen.go_on.set()
        assert [await client.read_piece(), await client.read_piece()] == [b"second", b""]
        assert (await client.ask("GET", "/plain")).status == 200

    async def test_a_hang_up_closes_the_generator(self, client: Client, seen: Seen) -> None:
        with capture_logs() as logs:
            await client.send("GET", "/ticks")
            await client.read_head()
            await client.hang_up()
            await seen.wait_for("closed")
        assert logs == []

    async def test_a_hang_up_with_a_request_pipelined_closes_the_generator(
        self, client: Client, seen: Seen
    ) -> None:
        await client.send("GET", "/ticks")
        await client.read_head()
        await client.send("GET", "/plain")
        await asyncio.sleep(MOMENT)
        await client.hang_up()
        await seen.wait_for("closed")
        assert "called" not in seen.events

    async def test_a_hang_up_amid_an_unread_body_closes_the_generator(
        self, client: Client, seen: Seen
    ) -> None:
        await client.send("POST", "/ticks", b"", "Content-Length: 100")
        assert (await client.read_head()).headers["connection"] == "close"
        client.writer.write(b"x")
        await asyncio.sleep(MOMENT)
        await client.hang_up()
        await seen.wait_for("closed")

    async def test_a_body_cannot_be_read_while_its_answer_streams(self, client: Client) -> None:
        with capture_logs() as logs:
            answer = await client.ask("POST", "/echo", b"abc")
        assert answer.status == 500
        assert [line["log_level"] for line in logs] == ["error"]

    async def test_a_reader_that_stopped_can_be_dropped(self, client: Client, seen: Seen) -> None:
        await client.send("GET", "/flood")
        await client.read_head()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
        await seen.wait_for("closed")

    async def test_a_failure_before_the_first_byte_is_a_500(self, client: Client) -> None:
        with capture_logs() as logs:
            answer = await client.ask("GET", "/breaks/0")
        assert answer.status == 500
        assert json.loads(answer.body)["success"] is False
        assert answer.headers["x-request-id"] == json.loads(answer.body)["request_id"]
        assert [line["log_level"] for line in logs] == ["error"]

    async def test_what_is_gone_before_the_first_byte_is_no_500(self, client: Client) -> None:
        answer = await client.ask("GET", "/gone/0")
        assert answer.status == 404
        assert json.loads(answer.body)["error"] == "It was deleted"
        assert "etag" not in answer.headers
        assert answer.headers["access-control-allow-origin"] == "*"
        assert (await client.ask("GET", "/plain")).status == 200

    async def test_what_is_gone_after_it_does_not_look_whole(self, client: Client) -> None:
        await client.send("GET", "/gone/1")
        assert (await client.read_head()).status == 200
        assert await client.reader.read() == b"piece"

    async def test_a_failure_after_the_first_byte_does_not_look_whole(self, client: Client) -> None:
        with capture_logs() as logs:
            answer = await client.ask("GET", "/breaks/3")
        assert answer.status == 200
        assert not answer.whole
        assert [line["log_level"] for line in logs] == ["error"]

    async def test_less_than_was_declared_does_not_look_whole(self, client: Client) -> None:
        await client.send("GET", "/short")
        await client.read_head()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.reader.readexactly(10)

    async def test_an_answer_past_its_time_is_cut(self, client: Client) -> None:
        with capture_logs() as logs:
            answer = await client.ask("GET", "/late")
        assert not answer.whole
        assert [line["log_level"] for line in logs] == ["warning"]

    async def test_head_of_a_stream_ends(self, client: Client, seen: Seen) -> None:
        assert (await client.ask("HEAD", "/ticks")).status == 200
        assert (await client.ask("GET", "/plain")).body == b"hello"

    async def test_a_file_is_sent_whole(self, client: Client) -> None:
        answer = await client.ask("GET", "/file")
        assert answer.body == CONTENT

    async def test_a_range_of_a_file_is_sent(self, client: Client) -> None:
        answer = await client.ask("GET", "/file", b"", "Range: bytes=3-6")
        assert (answer.status, answer.body) == (206, CONTENT[3:7])

    async def test_head_of_a_file_has_its_length(self, client: Client) -> None:
        answer = await client.ask("HEAD", "/file")
        assert int(answer.headers["content-length"]) == len(CONTENT)
        assert (await client.ask("GET", "/plain")).body == b"hello"


class TestUnderQuartsTestClient:
    async def test_requests_work(self, seen: Seen) -> None:
        client = make_app(seen).test_client()
        assert await (await client.get("/plain")).get_data() == b"hello"
        assert await (await client.post("/json", json=[1])).get_json() == {"got": [1]}

    async def test_a_request_context_has_its_body(self, seen: Seen) -> None:
        app = make_app(seen)
        async with app.test_request_context("/json", method="POST", json=[1]):
            assert await request.get_json() == [1]


def make_scope(path: str) -> Any:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "extensions": {},
        "state": {},
    }
