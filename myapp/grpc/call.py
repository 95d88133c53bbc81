"""One call, from its headers to its status: the layers around every handler."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import structlog
from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from grpclib.const import Cardinality, Handler
from grpclib.metadata import Deadline, decode_metadata
from h2.exceptions import ProtocolError

from myapp.errors import Invalid
from myapp.grpc.status import to_grpc_error
from myapp.grpc.stream import CallStream

log = structlog.get_logger()

Headers = Sequence[tuple[str, str]]

QUIET_PREFIX = "/grpc."  # health and reflection, asked every few seconds by machines


async def refuse_unknown_method(_stream: object) -> None:
    raise GRPCError(Status.UNIMPLEMENTED, "Method not found")


UNKNOWN_METHOD = Handler(refuse_unknown_method, Cardinality.STREAM_STREAM, Empty, Empty)


class Call:
    """Runs a handler inside its layers, from the outside in:

    1. the request id, and one log line for each call (`run`);
    2. errors to status: whatever goes wrong further in becomes one (`_answer`);
    3. the deadline, which cancels the handler (`_handle_in_time`).

    What judges a caller belongs between 2 and 3: before the handler has read a message.
    """

    def __init__(self, stream: CallStream, headers: Headers, method: Handler) -> None:
        self.streaming: bool = method.cardinality.server_streaming
        self._stream = stream
        self._headers = headers
        self._method = method
        self._address = address_of(stream)
        self._stopped = False
        self._scope: asyncio.Timeout | None = None

    def stop(self) -> None:
        """Ends the call with UNAVAILABLE, unless its handler has returned."""
        self._stopped = True
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0)

    async def run(self) -> None:
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=self._stream.request_id):
            try:
                await self._answer()
            except ProtocolError as error:  # h2: this stream takes nothing more
                log.debug("caller left before the answer", error=repr(error))
            finally:
                self._write_log(started)

    async def _answer(self) -> None:
        try:
            await self._handle_in_time()
            await self._stream.finish()
        except ProtocolError:
            raise
        except Exception as error:  # noqa: BLE001  # each becomes a status, and is logged if unforeseen
            await self._stream.finish(to_grpc_error(error))

    async def _handle_in_time(self) -> None:
        self._stream.metadata, self._stream.deadline = read_headers(self._headers)
        self._scope = scope = asyncio.timeout(self._seconds_left())
        try:
            async with scope:
                await self._method.func(self._stream)
        except Exception as error:
            if scope.expired():  # whatever the handler made of being cancelled
                raise self._expiry() from error
            raise
        finally:
            self._scope = None

    def _seconds_left(self) -> float | None:
        if self._stopped:
            return 0
        return self._stream.deadline.time_remaining() if self._stream.deadline else None

    def _expiry(self) -> GRPCError:
        if self._stopped:
            return GRPCError(Status.UNAVAILABLE, "The server is stopping")
        return GRPCError(Status.DEADLINE_EXCEEDED, "The deadline has passed")

    def _write_log(self, started: float) -> None:
        status = self._stream.status or Status.CANCELLED  # nobody was left to hear one
        quiet = self._stream.path.startswith(QUIET_PREFIX) and status is Status.OK
        write = log.debug if quiet else log.info
        write(
            "call",
            method=self._stream.path,
            status=status.name,
            ms=round((time.perf_counter() - started) * 1000, 1),
            address=self._address,
        )


def read_headers(headers: Headers) -> tuple[Any, Deadline | None]:
    """The metadata and the deadline of a call, which are the caller's text until now."""
    try:
        return decode_metadata(headers), Deadline.from_headers(headers)
    except (ValueError, OverflowError):
        raise Invalid("The metadata or the deadline cannot be read") from None


def address_of(stream: CallStream) -> str | None:
    peer = stream.peer.addr()
    return peer[0] if peer else None
