"""The calls that are under way, across all connections of a server."""

import asyncio
from collections.abc import Callable, Mapping

from grpclib.const import Handler
from grpclib.protocol import AbstractHandler
from grpclib.protocol import Stream as WireStream
from h2.errors import ErrorCodes

from myapp.grpc.call import UNKNOWN_METHOD, Call, Gate, Headers
from myapp.grpc.metrics import CallMetrics
from myapp.grpc.stream import CallStream

CONTENT_TYPES = frozenset({"application/grpc", "application/grpc+proto"})


class Calls:
    """Starts calls, knows which are under way, and ends them when the server stops.

    A call whose answer is a stream may last for ever (a watch, a talk with reflection), so that a
    stop ends it; all others finish first.
    """

    def __init__(
        self,
        methods: Mapping[str, Handler],
        *,
        gate: Gate,
        metrics: CallMetrics,
        message_limit: int,
    ) -> None:
        self._methods = methods
        self._gate = gate
        self._metrics = metrics
        self._message_limit = message_limit
        self._running: dict[asyncio.Task[None], Call] = {}
        self._streams_ended = False

    def __len__(self) -> int:
        return len(self._running)

    def start(self, wire: WireStream, headers: Headers) -> asyncio.Task[None]:
        named = dict(headers)
        method = self._methods.get(named.get(":path", ""), UNKNOWN_METHOD)
        stream = CallStream(wire, named, method, message_limit=self._message_limit)
        call = Call(stream, headers, method, gate=self._gate, metrics=self._metrics)
        if call.streaming and self._streams_ended:
            call.stop()
        task = asyncio.create_task(call.run())
        self._running[task] = call
        task.add_done_callback(self._running.pop)
        return task

    async def finished(self) -> None:
        """Returns when no call is under way."""
        while self._running:
            await asyncio.wait(self._running)

    def end_streams(self) -> None:
        """Ends the calls that answer with a stream, those that come later too."""
        self._streams_ended = True
        for call in self._running.values():
            if call.streaming:
                call.stop()

    def end_all(self) -> None:
        for call in self._running.values():
            call.stop()


class ConnectionCalls(AbstractHandler):
    """The calls of one connection: they end with it."""

    def __init__(self, calls: Calls) -> None:
        self.closed = False
        self.last_stream_id = 0
        self._calls = calls
        self._tasks: dict[WireStream, asyncio.Task[None]] = {}

    def accept(
        self, stream: WireStream, headers: Headers, release_stream: Callable[[], None]
    ) -> None:
        if self.closed:
            release_stream()
            stream.reset_nowait(ErrorCodes.REFUSED_STREAM)  # "not begun: repeat it elsewhere"
            return
        self.last_stream_id = stream.id or 0
        self._tasks[stream] = task = self._begin(stream, headers)

        # Not in the task itself: one that is cancelled before it began runs nothing of its own.
        def forget(_task: asyncio.Task[None]) -> None:
            del self._tasks[stream]
            release_stream()

        task.add_done_callback(forget)

    def cancel(self, stream: WireStream) -> None:
        if stream in self._tasks:
            self._tasks[stream].cancel()

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    def _begin(self, stream: WireStream, headers: Headers) -> asyncio.Task[None]:
        if (http_status := http_refusal(dict(headers))) is not None:
            return asyncio.create_task(refuse(stream, http_status))
        return self._calls.start(stream, headers)


def http_refusal(headers: Mapping[str, str]) -> int | None:
    """The HTTP status for a request that is not gRPC at all."""
    if headers.get(":method") != "POST":
        return 405
    return None if headers.get("content-type") in CONTENT_TYPES else 415


async def refuse(wire: WireStream, http_status: int) -> None:
    await wire.send_headers([(":status", str(http_status))], end_stream=True)
    if wire.closable:
        wire.reset_nowait()
