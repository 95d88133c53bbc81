"""What a client may do to a connection: over real sockets, with time moved by hand."""

import asyncio
import contextvars
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from myapp.listener import bind
from myapp.protocol import (
    EXTENSION,
    HEAD_BYTES,
    HEAD_SECONDS,
    PIPELINED_REQUESTS,
    QUIET_SECONDS,
    STALL_SECONDS,
    Cork,
    HttpProtocol,
)
from myapp.server import Server
from tests.support.hubs import until

MEBIBYTE = 1024 * 1024
MOMENT = 0.05
TIMEOUT = 5.0
SIZES = {"/big": 16 * MEBIBYTE, "/huge": 48 * MEBIBYTE}  # the kernel takes some 10 at once
REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"

leak: contextvars.ContextVar[str] = contextvars.ContextVar("leak", default="")


class App:
    """Says back what it was asked; `/wait` answers when `go_on` is set."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.go_on = asyncio.Event()
        self.began = asyncio.Event()
        self.leaked: list[str] = []
        self.read: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.leaked.append(leak.get())
        leak.set(scope["path"])
        self.began.set()
        if scope["path"] == "/wait":
            await self.go_on.wait()
        if scope["path"] == "/read":
            self.read.append(await receive())
            while self.read[-1].get("more_body"):
                self.read.append(await receive())
        size = SIZES.get(scope["path"], 1)
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"y" * size})


@dataclass
class Setting:
    app: App
    server: Server
    port: int

    @property
    def connection(self) -> HttpProtocol:
        (connection,) = self.server.clients
        return connection

    def check_after(self, seconds: float) -> None:
        self.connection.check(asyncio.get_running_loop().time() + seconds)

    @property
    def unsent(self) -> int:
        """Bytes of an answer that the kernel has not taken yet."""
        return self.connection.transport.get_write_buffer_size()

    async def stall(self) -> None:
        """Until the kernel takes no more of an answer that is not read."""
        left = 0
        async with asyncio.timeout(TIMEOUT):
            while not left or left != self.unsent:
                left = self.unsent
                await asyncio.sleep(2 * MOMENT)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    stop, listening = asyncio.Event(), asyncio.Event()
    app = App()
    server = Server(
        app, stop=stop, drain_seconds=0, deadline=0.5, listening=listening, on_drain=lambda: None
    )
    sockets = bind("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    serving = asyncio.create_task(server.serve(sockets))
    await listening.wait()
    yield Setting(app, server, port)
    stop.set()
    await serving
    await server.abort()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connecting(setting: Setting) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", setting.port)
    await asyncio.sleep(0.01)  # until it is accepted
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


class Writes(asyncio.Transport):
    """A transport that notes what is sent at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.sent.append(b"closed")


class TestCork:
    @pytest.fixture
    def transport(self) -> Writes:
        return Writes()

    @pytest.fixture
    def cork(self, transport: Writes) -> Cork:
        cork = Cork(transport)
        cork.keep_next()
        cork.write(b"head ")
        return cork

    def test_sends_a_head_with_the_first_piece_of_its_body(
        self, cork: Cork, transport: Writes
    ) -> None:
        cork.write(b"one")
        cork.flush()
        cork.write(b"two")
        assert transport.sent == [b"head one", b"two"]

    def test_sends_a_head_that_nothing_follows(self, cork: Cork, transport: Writes) -> None:
        cork.flush()
        cork.flush()
        assert transport.sent == [b"head "]

    def test_sends_a_head_before_it_closes(self, cork: Cork, transport: Writes) -> None:
        cork.close()
        assert transport.sent == [b"head ", b"closed"]


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.read()


async def talk(setting: Setting, *data: bytes) -> bytes:
    """What comes back until the server hangs up."""
    async with connecting(setting) as (reader, writer):
        for piece in data:
            writer.write(piece)
            await asyncio.sleep(0.01)
        return await read_to_end(reader)


def count_answers(data: bytes) -> int:
    return data.count(b"HTTP/1.1 200")


class TestMalformedRequests:
    @pytest.mark.parametrize(
        "data",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
            b"NONSENSE\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        ],
    )
    async def test_they_get_the_envelope_and_the_end(self, setting: Setting, data: bytes) -> None:
        head, body = (await talk(setting, data)).split(b"\r\n\r\n")
        failure = json.loads(body)
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert (failure["success"], failure["code"]) == (False, "invalid_request")
        assert f"x-request-id: {failure['request_id']}".encode() in head
        assert b"connection: close" in head
        assert setting.app.scopes == []

    async def test_they_are_not_logged_by_anybody_who_likes(
        self, setting: Setting, caplog: pytest.LogCaptureFixture
    ) -> None:
        with capture_logs() as logs:
            await talk(setting, b"NONSENSE\r\n\r\n")
        assert logs == []
        assert caplog.records == []

    async def test_a_whole_request_before_nonsense_is_answered(self, setting: Setting) -> None:
        setting.app.go_on.set()
        data = await talk(setting, b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\nNONSENSE")
        assert data.startswith(b"HTTP/1.1 200")
        assert data.endswith(b"y")

    async def test_a_broken_chunk_is_a_400(self, setting: Setting) -> None:
        head = b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        data = await talk(setting, head + b"3\r\nabc\r\n", b"nonsense\r\n")
        assert data.startswith(b"HTTP/1.1 400")
        assert count_answers(data) == 0

    async def test_a_client_that_still_sends_reads_the_answer(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(b"NONSENSE\r\n\r\n" + bytes(8 * MEBIBYTE))
            assert (await read_to_end(reader)).startswith(b"HTTP/1.1 400")


class TestHeadLimit:
    @pytest.mark.parametrize(
        "data",
        [
            b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEAD_BYTES // 6 + 1) + b"\r\n",
            b"GET / HTTP/1.1\r\nA: " + b"a" * HEAD_BYTES,
            b"\r\n" * HEAD_BYTES,
        ],
        ids=["path", "header", "headers", "unfinished", "no head at all"],
    )
    @pytest.mark.parametrize("size", [1024, MEBIBYTE])
    async def test_more_is_refused(self, setting: Setting, data: bytes, size: int) -> None:
        async with connecting(setting) as (reader, writer):
            for start in range(0, len(data), size):
                writer.write(data[start : start + size])
            answer = await read_to_end(reader)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"32 KiB" in answer
        assert setting.app.scopes == []

    async def test_a_body_in_the_same_packet_does_not_count(self, setting: Setting) -> None:
        size = 2 * HEAD_BYTES
        head = b"POST /read HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
        assert count_answers(await talk(setting, head + bytes(size))) == 1
        assert sum(len(message["body"]) for message in setting.app.read) == size

    async def test_heads_are_measured_one_by_one(self, setting: Setting) -> None:
        padded = b"GET / HTTP/1.1\r\nA: " + b"a" * (HEAD_BYTES - 100) + b"\r\n\r\n"
        last = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
        assert count_answers(await talk(setting, padded * 3 + last)) == 4

    @pytest.mark.parametrize("endless", [b"0\r\n" + b"a: b\r\n" * 9000, b"1;" + b"a" * 40_000])
    async def test_trailers_and_chunk_extensions_have_it_too(
        self, setting: Setting, endless: bytes
    ) -> None:
        head = b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await talk(setting, head, endless)).startswith(b"HTTP/1.1 400")

    async def test_trailers_do_not_become_headers(self, setting: Setting) -> None:
        setting.app.go_on.set()
        first = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
        second = b"POST / HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        await talk(setting, first + second + b"0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
        assert b"x-forwarded-for" not in dict(setting.app.scopes[1]["headers"])


class TestDeadlines:
    async def test_a_silent_connection_is_closed(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, _):
            setting.check_after(HEAD_SECONDS - 1)
            await asyncio.sleep(MOMENT)
            assert not reader.at_eof()
            setting.check_after(HEAD_SECONDS + 1)
            assert await read_to_end(reader) == b""

    @pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"])
    async def test_an_unfinished_head_is_closed(self, setting: Setting, data: bytes) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(data)
            await asyncio.sleep(MOMENT)
            setting.check_after(HEAD_SECONDS + 1)
            assert await read_to_end(reader) == b""

    @pytest.mark.parametrize("data", [b"G", b"\r\n"])
    async def test_the_next_head_has_its_own_deadline(self, setting: Setting, data: bytes) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\ny")
            setting.check_after(HEAD_SECONDS + 1)
            await asyncio.sleep(MOMENT)
            assert not reader.at_eof(), "an idle connection is not a slow head"
            writer.write(data)
            await asyncio.sleep(MOMENT)
            setting.check_after(HEAD_SECONDS + 1)
            assert await read_to_end(reader) == b""

    async def test_a_request_under_way_has_no_head_to_wait_for(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            await setting.app.began.wait()
            setting.check_after(HEAD_SECONDS + 1)
            setting.app.go_on.set()
            assert await reader.readuntil(b"\r\n\r\ny")

    async def test_so_has_a_head_that_began_while_we_answered(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
            await setting.app.began.wait()
            setting.app.go_on.set()
            await reader.readuntil(b"\r\n\r\ny")
            setting.check_after(HEAD_SECONDS + 1)
            assert await read_to_end(reader) == b""

    async def test_a_reader_that_takes_nothing_is_dropped(self, setting: Setting) -> None:
        async with connecting(setting) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # it reads as well
            writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            await setting.stall()
            setting.check_after(0)
            setting.check_after(STALL_SECONDS + 1)
            await until(lambda: not setting.server.clients)

    async def test_a_slow_reader_is_not(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(b"GET /huge HTTP/1.1\r\nConnection: close\r\n\r\n")
            await setting.stall()
            setting.check_after(0)
            left = setting.unsent
            await reader.readexactly(8 * MEBIBYTE)
            await until(lambda: setting.unsent < left)
            setting.check_after(STALL_SECONDS + 1)
            assert len(await read_to_end(reader)) > 39 * MEBIBYTE

    async def test_a_reader_that_takes_nothing_is_dropped_after_the_end_too(
        self, setting: Setting
    ) -> None:
        async with connecting(setting) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # it reads as well
            writer.write(b"GET /big HTTP/1.1\r\nConnection: close\r\n\r\n")
            await setting.stall()
            assert setting.connection.transport.is_closing()
            setting.check_after(0)
            setting.check_after(STALL_SECONDS + 1)
            await until(lambda: not setting.server.clients)


class TestShutdown:
    async def test_a_request_that_has_just_arrived_is_answered(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, writer):
            await asyncio.sleep(QUIET_SECONDS)
            os.write(writer.get_extra_info("socket").fileno(), REQUEST)
            setting.connection.shutdown()  # before the loop has read anything
            assert await reader.readuntil(b"\r\n\r\ny")
            await asyncio.sleep(QUIET_SECONDS)
            setting.connection.shutdown()
            assert await read_to_end(reader) == b""

    async def test_a_request_that_has_begun_to_arrive_is_waited_for(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(REQUEST[:5])
            await asyncio.sleep(QUIET_SECONDS + MOMENT)
            setting.connection.shutdown()
            writer.write(REQUEST[5:])
            assert await reader.readuntil(b"\r\n\r\ny")


class TestPipelining:
    async def test_requests_do_not_share_their_context(self, setting: Setting) -> None:
        setting.app.go_on.set()
        await talk(setting, b"GET /wait HTTP/1.1\r\n\r\n" * 2 + b"GET / HTTP/1.0\r\n\r\n")
        assert setting.app.leaked == ["", "", ""]

    async def test_a_flood_is_answered_so_far_and_ended(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(b"GET /wait HTTP/1.1\r\n\r\n" * 10_000)
            await setting.app.began.wait()
            setting.app.go_on.set()
            assert count_answers(await read_to_end(reader)) == PIPELINED_REQUESTS + 1


class TestOtherProtocols:
    @pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
    async def test_an_upgrade_is_answered_as_plain_http(
        self, setting: Setting, protocol: bytes
    ) -> None:
        head = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
        data = await talk(setting, head, head, b"GET / HTTP/1.0\r\n\r\n")
        assert count_answers(data) == 3

    async def test_frames_that_follow_are_no_request(self, setting: Setting) -> None:
        head = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        data = await talk(setting, head, b"\x81\x85frames")
        assert count_answers(data) == 1
        assert b"HTTP/1.1 400" in data

    @pytest.mark.parametrize("size", [1, 60, 1000])
    async def test_an_upgrade_with_a_body_keeps_it(self, setting: Setting, size: int) -> None:
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        request = b"POST /read HTTP/1.1\r\n" + upgrade + b"Content-Length: 3\r\n\r\nabc"
        data = request * 2 + b"GET / HTTP/1.0\r\n\r\n"
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert count_answers(await talk(setting, *pieces)) == 3
        assert b"".join(message["body"] for message in setting.app.read) == b"abcabc"

    async def test_a_flood_of_upgrades_is_ended(self, setting: Setting) -> None:
        head = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        assert count_answers(await talk(setting, head * 2000)) == PIPELINED_REQUESTS + 1

    async def test_http_1_0_is_answered_and_ended(self, setting: Setting) -> None:
        assert count_answers(await talk(setting, b"GET / HTTP/1.0\r\n\r\n")) == 1


class TestScope:
    async def test_the_peer_is_the_peer_whatever_the_headers_say(self, setting: Setting) -> None:
        await talk(
            setting,
            b"GET / HTTP/1.0\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\r\n",
        )
        (scope,) = setting.app.scopes
        assert scope["client"][0] == "127.0.0.1"
        assert scope["scheme"] == "http"

    async def test_the_program_does_not_name_itself(self, setting: Setting) -> None:
        data = await talk(setting, b"GET / HTTP/1.0\r\n\r\n")
        assert b"\r\nserver:" not in data
        assert b"\r\ndate:" in data

    async def test_an_application_can_drop_its_client(self, setting: Setting) -> None:
        async with connecting(setting) as (reader, writer):
            writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            await setting.app.began.wait()
            setting.app.scopes[0]["extensions"][EXTENSION]["abort"]()
            assert await read_to_end(reader) == b""
            assert setting.server.clients == []
        setting.app.go_on.set()
