"""One request and its answer, between the server and Quart.

Quart's own class starts two tasks for each request, sends every answer in two pieces, reads a
body into memory however slowly the handler takes it, and cancels the handler wherever it is when
the client hangs up. This one calls the handler directly, and watches the client only while an
answer streams. `app.asgi_http_class = Connection` and `app.request_class = Request` go together.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import quart
import structlog
from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable
from quart.asgi import ASGIHTTPConnection
from quart.globals import request_ctx
from quart.typing import ResponseTypes
from quart.utils import encode_headers
from quart.wrappers.request import Body
from quart.wrappers.response import DataBody
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout
from werkzeug.wrappers import Response as WerkzeugResponse

from myapp.errors import AppError
from myapp.protocol import EXTENSION
from myapp.response import fail

log = structlog.get_logger()

MIN_BODY_RATE = 8 * 1024  # bytes a second, which a client must keep up to send for longer
BODILESS = frozenset({204, 304})  # statuses whose answers end with their head


class StreamedBody(Body):
    """A request's body, taken from the client as fast as it is read and no faster.

    `limit` is the most bytes it may have, `timeout` the seconds that we wait for it in all, and
    longer only for a client that sends at least MIN_BODY_RATE; None is no limit. A handler may
    change both before it reads. Reading raises RequestEntityTooLarge (413), RequestTimeout (408),
    or ClientDisconnected, which is answered to nobody and is no error of ours.
    """

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(None, None)
        self.limit = max_content_length
        self.timeout: float | None = None
        self._expected = expected_content_length or 0
        self._receive: ASGIReceiveCallable | None = None
        self._has_message = never
        self._received = 0
        self._waited = 0.0

    @property
    def waited(self) -> float:
        """The seconds that the client had us wait for it."""
        return self._waited

    def open(
        self,
        receive: ASGIReceiveCallable,
        *,
        timeout: float | None,
        has_message: Callable[[], bool],
    ) -> None:
        """`has_message` tells whether `receive` would answer without waiting."""
        self._receive = receive
        self._has_message = has_message
        self.timeout = timeout

    def give_up(self) -> None:
        """Makes reading on an error: the connection needs `receive` for itself."""
        if self._receive is not None:
            self._receive = refuse_reading

    def __await__(self) -> Generator[Any, None, bytes]:
        return self._read_all().__await__()

    async def _read_all(self) -> bytes:
        while piece := await self._read_piece():
            self._data += piece
        return bytes(self._data)

    async def __anext__(self) -> bytes:
        piece = bytes(self._data) or await self._read_piece()
        self._data.clear()
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _read_piece(self) -> bytes:
        """What comes next; nothing at the end."""
        self._check_size(self._expected)
        while self._receive is not None:
            message = await self._wait_for_message(self._receive)
            if message["type"] != "http.request":
                raise ClientDisconnected
            if not message.get("more_body"):
                self._receive = None
            piece = message.get("body", b"")
            self._received += len(piece)
            self._check_size(self._received)
            if piece:
                return piece
        return b""

    def _check_size(self, size: int) -> None:
        if self.limit is not None and size > self.limit:
            raise RequestEntityTooLarge

    async def _wait_for_message(self, receive: ASGIReceiveCallable) -> ASGIReceiveEvent:
        """Only the time that we wait counts: a handler may take its own between two pieces."""
        if self.timeout is None or self._has_message():  # a timer is a sixth of a small request
            return await receive()
        began = time.perf_counter()  # the clock of the request; the loop's has milliseconds
        try:
            async with asyncio.timeout(
                self.timeout + self._received / MIN_BODY_RATE - self._waited
            ):
                return await receive()
        except TimeoutError:
            raise RequestTimeout from None
        finally:
            self._waited += time.perf_counter() - began


def never() -> bool:
    return False


async def refuse_reading() -> ASGIReceiveEvent:
    raise RuntimeError("A request's body is to be read before its answer streams")


class Request(quart.Request):
    """Quart's request over a StreamedBody, whose limit each handler may set for itself.

    `standing_headers` are for its answer, where that has none of their name, in lower case.
    """

    body_class = StreamedBody
    body: StreamedBody
    id = ""
    standing_headers: Sequence[tuple[bytes, bytes]] = ()

    @cached_property
    def content_length(self) -> int | None:
        """The length that the client announces: slow for Quart to look for where there is none."""
        if self.raw_header(b"content-length") is None:
            return None
        return super().content_length

    @cached_property
    def blueprints(self) -> list[str]:
        """Those of the route. Quart asks three times, and works it out each time."""
        return super().blueprints

    @property
    def max_content_length(self) -> int | None:
        """The most bytes the body may have, from MAX_CONTENT_LENGTH until it is set."""
        return self.body.limit

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        self.body.limit = value

    def raw_header(self, name: bytes) -> str | None:
        """The first header of this name, in lower case. Quart's take five times as long."""
        for key, value in self.scope["headers"]:
            if key == name:
                return value.decode("latin-1")
        return None


def current_request() -> Request:
    """The request under way, without the proxy that Quart's `request` is."""
    return cast("Request", request_ctx.request)


@dataclass(slots=True)
class Opening:
    """What an answer begins with, and what another one in its place would have."""

    head: Any
    standing_headers: Sequence[tuple[bytes, bytes]]
    request_id: str
    path: str


class StreamedAnswer:
    """What is needed of a response to send it; of its head nothing remains once that is sent."""

    def __init__(self, request: Request, response: quart.Response) -> None:
        self.body = response.response
        self.timeout = response.timeout
        self._opening: Opening | None = Opening(
            make_head(request.standing_headers, response),
            request.standing_headers,
            request_id=request.id,
            path=request.path,
        )

    async def begin(self, send: ASGISendCallable) -> None:
        """Sends the head, the first time that it is called."""
        if self._opening is not None:
            head, self._opening = self._opening.head, None
            await send(head)

    async def refuse(self, error: AppError, send: ASGISendCallable) -> None:
        """Answers with the error instead. Raises it where the head has been sent."""
        if self._opening is None:
            raise error
        opening, self._opening = self._opening, None
        response = fail(error, request_id=opening.request_id)
        log.warning(
            "answer refused after all",
            path=opening.path,
            status=response.status_code,
            error=error.text,
            request_id=opening.request_id,
        )
        head = make_head(opening.standing_headers, response)
        head["headers"] += [each for each in opening.head["headers"] if is_of_origin(each[0])]
        await send(head)
        await send(
            {
                "type": "http.response.body",
                "body": await response.get_data(as_text=False),
                "more_body": False,
            }
        )


class Connection(ASGIHTTPConnection):
    """Carries one request to the application and its answer back."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        request = cast("Request", self._create_request_from_scope(send))
        request.body.open(
            receive,
            timeout=request.body_timeout,
            has_message=get_extension(self.scope).get("has_message", never),
        )
        request.body_timeout = None  # Quart would start a task for each read to watch it
        response = await self.app.handle_request(request)

        body = get_whole_body(response, request.method)
        if body is None:
            request.body.give_up()
            answer = StreamedAnswer(request, cast("quart.Response", response))
            del request, response  # a stream may last for days, and there may be thousands
            await self._stream(answer, receive, send)
        else:
            await send(make_head(request.standing_headers, response))
            await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _stream(
        self, answer: StreamedAnswer, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Sends the answer until it ends, or the client hangs up, or its time is over.

        Both of the latter cancel the generator where it is, so that its `finally` runs at once.
        Opening and closing the body are not cut short: a file would stay open.
        """
        timeout = answer.timeout
        if timeout is ...:
            timeout = self.app.config["RESPONSE_TIMEOUT"]
        limit, gone = asyncio.timeout(timeout), asyncio.timeout(None)
        try:
            async with answer.body as pieces, limit, gone:
                watcher = asyncio.create_task(expire_on_disconnect(receive, gone))
                try:
                    await send_pieces(answer, pieces, send)
                finally:
                    watcher.cancel()
        except TimeoutError:
            if gone.expired():
                return
            if not limit.expired():
                raise
            log.warning("answer took too long", path=self.scope["path"], seconds=timeout)
            abort_connection(self.scope)
        except AppError as error:
            await answer.refuse(error, send)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def expire_on_disconnect(receive: ASGIReceiveCallable, gone: asyncio.Timeout) -> None:
    """What is left of the request's body is thrown away meanwhile."""
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.reschedule(asyncio.get_running_loop().time())


async def send_pieces(
    answer: StreamedAnswer, pieces: AsyncIterable[str | bytes], send: ASGISendCallable
) -> None:
    """The head waits for the first piece, so that what fails before it is an honest 500."""
    async for piece in pieces:
        await answer.begin(send)
        data = piece.encode() if isinstance(piece, str) else piece
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await answer.begin(send)


def get_whole_body(response: ResponseTypes, method: str) -> bytes | None:
    """The answer's body if it is there already, None if it has yet to be produced."""
    if method == "HEAD" or response.status_code in BODILESS:
        return b""
    if isinstance(response, WerkzeugResponse):
        return response.get_data()
    if isinstance(response.response, DataBody):
        return response.response.data[response.response.begin : response.response.end]
    return None


def make_head(standing_headers: Sequence[tuple[bytes, bytes]], response: ResponseTypes) -> Any:
    if response.status_code in BODILESS:
        response.headers.pop("Content-Length", None)
    headers = encode_headers(response.headers)
    names = {name for name, _ in headers}
    headers += [header for header in standing_headers if header[0] not in names]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def is_of_origin(name: bytes) -> bool:
    """Whether a header says which pages may read the answer, whatever that is."""
    return name.startswith(b"access-control-") or name == b"vary"


def abort_connection(scope: Mapping[str, Any]) -> None:
    """Drops the client of a request at once, also one that has stopped reading.

    Takes `request.scope`. The only way out for an answer whose `send` waits for such a client.
    """
    abort = get_extension(scope).get("abort")
    if abort is not None:
        abort()


def get_extension(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """What our server offers; nothing under Quart's test client."""
    return (scope.get("extensions") or {}).get(EXTENSION) or {}
