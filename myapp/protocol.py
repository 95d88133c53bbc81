"""One client's connection: Uvicorn's HTTP protocol with the limits and the manners it lacks.

Uvicorn sets no deadline for a request's head and no limit to it, closes a connection while its
client still sends (which resets it, and the answer is lost), loses sight of a running request
when the next one is pipelined behind it, and waits for ever on a client that stopped reading.
"""

import asyncio
import json
import select
from contextvars import Context, copy_context
from functools import partial
from typing import Any, cast
from uuid import uuid4

import httptools
import structlog
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

log = structlog.get_logger()

HEAD_SECONDS = 10.0  # for a request's head, from its first byte or from the connection's opening
HEAD_BYTES = 32 * 1024  # of anything that is no body: heads, trailers, chunk extensions
PIPELINED_REQUESTS = 16  # waiting behind one under way; each costs us far more than its bytes
STALL_SECONDS = 30.0  # without one byte taken by a client for whom bytes wait
LINGER_SECONDS = 5.0  # for a client to notice that it was answered before it had sent everything
QUIET_SECONDS = 0.5  # before a stopping server takes an open connection for an idle one

# In an ASGI scope's extensions: {"abort": drops the client at once,
# "has_message": whether `receive` would answer without waiting}
EXTENSION = "myapp.connection"

MALFORMED = "The request is not valid HTTP"
HEAD_TOO_LARGE = f"The request's head is larger than {HEAD_BYTES // 1024} KiB"
TOO_MANY = "Too many requests in a row"


class State(ServerState):
    """What the connections of one server share."""

    def __init__(self, stop: asyncio.Event, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        """A stopping server takes a connection for idle that is quiet for `quiet_seconds`."""
        super().__init__()
        self._stop = stop
        self.quiet_seconds = quiet_seconds

    @property
    def draining(self) -> bool:
        """From the very moment at which `/ready` says 503."""
        return self._stop.is_set()


class Refusal(Exception):  # not an error of ours: what a client did
    """Raised inside the parser to stop it; the message is for the client."""


class Cork:
    """The transport as answers are written to it: a head waits for what follows it.

    uvloop sends each write at once, so that a head by itself costs a system call, and the client
    wakes up for it.
    """

    __slots__ = ("_head", "_keeps_next", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._keeps_next = False

    def keep_next(self) -> None:
        """What is written next is a head."""
        self._keeps_next = True

    def write(self, data: bytes) -> None:
        if self._keeps_next:
            self._head, self._keeps_next = data, False
        elif self._head:
            self._transport.writelines((self._head, data))
            self._head = b""
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Lets a head go that nothing follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class HttpProtocol(HttpToolsProtocol):
    """See the module. `check` is to be called about once a second."""

    # With Uvicorn's own these would be over thirty in the instance's dictionary, and from there on
    # it takes 1.5 KiB more: much for a connection that only waits.
    __slots__ = (
        "_context",
        "_cork",
        "_deaf",
        "_extensions",
        "_head_since",
        "_in_head",
        "_moved_at",
        "_quiet_since",
        "_running",
        "_unframed",
        "_unsent",
    )

    server_state: State
    _context: Context

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as Uvicorn's
        super().connection_made(transport)
        now = self.loop.time()
        self._context = copy_context()
        self._cork = Cork(transport)
        self._running: RequestResponseCycle | None = None
        self._deaf = False  # whether what still arrives is thrown away
        self._head_since: float | None = now
        self._in_head = False
        self._unframed = 0  # bytes since the last that were part of a body or ended a head
        self._quiet_since = now
        self._unsent = 0
        self._moved_at = now
        self._extensions: dict[str, Any] = {
            EXTENSION: {"abort": self.abort, "has_message": self._has_message}
        }

    def connection_lost(self, exc: Exception | None) -> None:
        self._disconnect()
        self._extensions.clear()  # a cycle of references
        super().connection_lost(exc)

    def abort(self) -> None:
        """Drops the client at once: what it has not yet read is lost, and nothing more is sent."""
        self._disconnect()
        self.transport.abort()

    def _disconnect(self) -> None:
        """Makes the request under way see that its client is gone."""
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def _has_message(self) -> bool:
        return self._running is not None and self._running.message_event.is_set()

    @property
    def _busy(self) -> bool:
        """Whether a request is under way; others may wait behind it."""
        return self._running is not None and not self._running.response_complete

    @property
    def _has_begun(self) -> bool:
        """Whether some of the next request is here."""
        return self._in_head or self._unframed > 0

    # What arrives

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._unframed += len(data)
        try:
            self._parse(data)
            if self._unframed > HEAD_BYTES:
                self._refuse(HEAD_TOO_LARGE)
        except httptools.HttpParserError as error:
            refusal = error.__context__
            self._refuse(str(refusal) if isinstance(refusal, Refusal) else MALFORMED)
        if self._head_since is None and not self._busy:
            self._head_since = self.loop.time()

    def _parse(self, data: bytes) -> None:
        """Hears a request for another protocol, such as Java's for HTTP/2, as if it were none.

        The parser stops after the head of such a request and would lose its body.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            version = self.parser.get_http_version().encode()
            lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
            lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self._parse(b"\r\n".join([*lines, b"", data[upgrade.args[0] :]]))

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        # One read can bring a whole head and much of its body: only then is the head measured.
        if self._unframed > HEAD_BYTES and self._measure_head() > HEAD_BYTES:
            raise Refusal(HEAD_TOO_LARGE)
        if len(self.pipeline) >= PIPELINED_REQUESTS:
            raise Refusal(TOO_MANY)
        if self.parser.get_method() == b"CONNECT":
            raise Refusal(MALFORMED)  # what it names is no path
        self._in_head = False
        self._unframed = 0
        if self.parser.should_upgrade():
            return  # it comes again
        self._head_since = None
        self.scope["extensions"] = self._extensions
        super().on_headers_complete()
        if self.pipeline:
            self.flow.resume_reading()  # who does not read does not notice a hang-up either
        self.headers = []  # trailers end here, not among the headers of a request under way

    def on_body(self, body: bytes) -> None:
        self._unframed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unframed = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _measure_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse(self, reason: str) -> None:
        """Answers 400 where the client can tell what it is for, reads no more, and hangs up."""
        self._deaf = True
        if not self._busy:
            self._answer_invalid(reason)
        elif not self.cycle.more_body:
            self.cycle.keep_alive = False  # what came whole before is answered, then we hang up
        elif self.cycle is self._running and not self.cycle.response_started:
            self._disconnect()
            self._answer_invalid(reason)
        else:
            self.abort()

    def _answer_invalid(self, reason: str) -> None:
        head, body = make_failure(reason, code="invalid_request")
        lines = [b"HTTP/1.1 400 Bad Request"]
        for name, value in [*self.server_state.default_headers, *head]:
            lines.append(name + b": " + value)
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self._linger()

    # What is answered

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        cycle.transport = cast("asyncio.Transport", self._cork)
        # A pipelined request is started by the end of the one before it: it must not inherit
        # that one's context, with its request id.
        self._context.run(super()._start_asgi_task, cycle, partial(self._exchange, cycle, app))

    async def _exchange(
        self,
        cycle: RequestResponseCycle,
        app: ASGI3Application,
        scope: Scope,
        receive: ASGIReceiveCallable,
        _: object,
    ) -> None:
        send = partial(self._send, cycle)
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self.abort()  # the server stops; the task ends here, so it counts as cancelled
                return
            log.exception("request awaited something cancelled", path=cycle.scope["path"])
            await self._answer_failure(cycle, send)
        except Exception:
            log.exception("answer failed", path=cycle.scope["path"])
            await self._answer_failure(cycle, send)

    async def _answer_failure(self, cycle: RequestResponseCycle, send: Any) -> None:
        if cycle.response_started:
            self.abort()  # so that a cut answer does not look like a whole one
            return
        head, body = make_failure("Internal error", code="internal")
        await send({"type": "http.response.start", "status": 500, "headers": head})
        await send({"type": "http.response.body", "body": body})

    async def _send(self, cycle: RequestResponseCycle, message: ASGISendEvent) -> None:
        if not cycle.response_started:
            if cycle.more_body or (self.server_state.draining and not self.pipeline):
                cycle.keep_alive = False
            self._cork.keep_next()
            await cycle.send(message)
            return
        lingers = self._must_linger(cycle) and not message.get("more_body")
        if lingers:
            cycle.keep_alive = True  # or Uvicorn would close the connection in the client's face
        await cycle.send(message)
        self._cork.flush()
        if lingers and not self.transport.is_closing():
            self._linger()

    def _must_linger(self, cycle: RequestResponseCycle) -> bool:
        return not cycle.keep_alive and (cycle.more_body or self._deaf)

    def on_response_complete(self) -> None:
        self._quiet_since = self.loop.time()
        if self._has_begun:
            self._head_since = self._quiet_since  # the next head has begun to arrive meanwhile
        super().on_response_complete()

    # How it ends

    def _linger(self) -> None:
        """Ends our side and goes on reading for a while, to throw it away.

        Closing a connection with bytes unread resets it, and a reset can overtake the answer.
        """
        self._deaf = True
        self.transport.write_eof()
        self.flow.resume_reading()
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            LINGER_SECONDS, self.timeout_keep_alive_handler
        )

    def check(self, now: float) -> None:
        """Drops a client that holds the connection and does not move. `now` is the loop's time."""
        if self._head_since is not None and now - self._head_since > HEAD_SECONDS:
            self.transport.close()
        # Nothing is written meanwhile, so the buffer only shrinks, and only by being taken.
        waits = self.flow.write_paused or self.transport.is_closing()
        unsent = self.transport.get_write_buffer_size() if waits else 0
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._moved_at = unsent, now
        elif now - self._moved_at > STALL_SECONDS:
            self.abort()

    def shutdown(self) -> None:
        """Closes the connection if nothing is under way on it; to be called until it is gone."""
        quiet = self.loop.time() - self._quiet_since >= self.server_state.quiet_seconds
        if quiet and not self._busy and not self._has_begun and not has_unread(self.transport):
            self.transport.close()


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether bytes have arrived that the event loop has not yet handed over."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


def make_failure(error: str, *, code: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of the envelope around an error that the application never saw."""
    request_id = uuid4().hex
    body = json.dumps(
        {"success": False, "error": error, "code": code, "details": [], "request_id": request_id}
    ).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    return headers, body
