"""One call, from its headers to its status: the layers around every handler."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog
from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from grpclib.const import Cardinality, Handler
from grpclib.metadata import Deadline, decode_metadata
from h2.exceptions import ProtocolError

from myapp.errors import Forbidden, Invalid, Unauthenticated
from myapp.grpc.metrics import CallMetrics
from myapp.grpc.status import to_grpc_error
from myapp.grpc.stream import CallStream
from myapp.logger import SLOW_SECONDS

log = structlog.get_logger()

Headers = Sequence[tuple[str, str]]
Metadata = Mapping[str, Any]

QUIET_PREFIX = "/grpc."  # health and reflection, asked every few seconds by machines
UNMATCHED = "unmatched"  # a path that no method has
FAREWELL_SECONDS = 2.0  # for the status of a call that we end, which its caller may not read
READMIT_SECONDS = 1.0  # how late the end of a caller's rights is noticed while a stream lasts


class Gate(Protocol):
    """Says who may call which method."""

    async def admit(self, path: str, metadata: Metadata, address: str | None) -> object:
        """Who calls from this address, for the handler to know; None where nobody asks.

        Raises Unauthenticated, Forbidden or RateLimited.
        """

    async def admit_again(self, path: str, metadata: Metadata) -> None:
        """The same for a call that lasts, which is not counted once more."""


async def refuse_unknown_method(_stream: object) -> None:
    raise GRPCError(Status.UNIMPLEMENTED, "Method not found")


UNKNOWN_METHOD = Handler(refuse_unknown_method, Cardinality.STREAM_STREAM, Empty, Empty)


class Call:
    """Runs a handler inside its layers, from the outside in:

    1. the request id, and one log line for each call (`run`);
    2. metrics (`_measured`);
    3. errors to status: whatever goes wrong further in becomes one (`_answer`);
    4. the deadline, which cancels whatever is further in (`_handle`);
    5. who calls, and whether they may: before the handler has read a message (`_handle_admitted`).
    """

    def __init__(
        self,
        stream: CallStream,
        headers: Headers,
        method: Handler,
        *,
        gate: Gate,
        metrics: CallMetrics,
    ) -> None:
        self.streaming: bool = method.cardinality.server_streaming
        self._stream = stream
        self._headers = headers
        self._method = method
        self._gate = gate
        self._metrics = metrics
        self._started = time.perf_counter()
        self._ending: GRPCError | None = None
        self._scope: asyncio.Timeout | None = None
        stream.end = self.end

    def stop(self) -> None:
        """Ends the call because the server stops."""
        self.end(GRPCError(Status.UNAVAILABLE, "The server is stopping"))

    def end(self, error: GRPCError) -> None:
        """Ends the call with this error, unless its handler has returned or it ends already.

        Also while its caller is still looked up, and before that: then no handler begins.
        """
        self._ending = self._ending or error
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0)

    async def run(self) -> None:
        with structlog.contextvars.bound_contextvars(request_id=self._stream.request_id):
            try:
                await self._measured()
            except ProtocolError as error:  # h2: this stream takes nothing more
                log.debug("caller left before the answer", error=repr(error))
            finally:
                self._write_log()

    async def _measured(self) -> None:
        try:
            with self._metrics.in_flight.track_inprogress():
                await self._answer()
        finally:
            known = self._method is not UNKNOWN_METHOD
            self._metrics.observe(
                self._stream.path if known else UNMATCHED,
                self._status,
                seconds=None if self.streaming else self._seconds,
            )

    async def _answer(self) -> None:
        try:
            await self._handle()
            await self._stream.finish()
        except ProtocolError:
            raise
        except Exception as error:  # noqa: BLE001  # each becomes a status, and is logged if unforeseen
            await self._fail(to_grpc_error(error))

    async def _fail(self, error: GRPCError) -> None:
        """Sends the status. Whoever reads nothing must not hold up a call that we end."""
        try:
            async with asyncio.timeout(FAREWELL_SECONDS if self._ending else None):
                await self._stream.finish(error)
        except TimeoutError:
            log.debug("caller does not read")
            self._stream.abandon()

    async def _handle(self) -> None:
        metadata, self._stream.deadline = read_headers(self._headers)
        self._stream.metadata = metadata
        self._scope = scope = asyncio.timeout(self._seconds_left())
        try:
            async with scope:
                await self._handle_admitted(metadata)
        except Exception as error:
            if scope.expired():  # whatever gate or handler made of being cancelled
                raise self._expiry() from error
            raise
        finally:
            self._scope = None

    async def _handle_admitted(self, metadata: Metadata) -> None:
        stream = self._stream
        if self._method is not UNKNOWN_METHOD:
            stream.caller = await self._gate.admit(stream.path, metadata, stream.address)
        left = self._seconds_left()
        if left is not None and left <= 0:  # a handler that does not wait would not be cancelled
            raise self._expiry()
        if not self.streaming or stream.caller is None:
            await self._method.func(stream)
            return
        readmission = asyncio.create_task(self._readmit(metadata))
        try:
            await self._method.func(stream)
        finally:
            readmission.cancel()

    async def _readmit(self, metadata: Metadata) -> None:
        """Ends a call that lasts when its caller may not call any more; an outage is no reason."""
        while True:
            await asyncio.sleep(READMIT_SECONDS)
            try:
                await self._gate.admit_again(self._stream.path, metadata)
            except (Unauthenticated, Forbidden) as error:
                self.end(to_grpc_error(error))
            except Exception as error:  # noqa: BLE001  # it is asked again
                log.debug("caller cannot be looked at", error=repr(error))

    def _seconds_left(self) -> float | None:
        if self._ending:
            return 0
        return self._stream.deadline.time_remaining() if self._stream.deadline else None

    def _expiry(self) -> GRPCError:
        return self._ending or GRPCError(Status.DEADLINE_EXCEEDED, "The deadline has passed")

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._started

    @property
    def _status(self) -> Status:
        return self._stream.status or Status.CANCELLED  # nobody was left to hear one

    def _write_log(self) -> None:
        quiet = self._stream.path.startswith(QUIET_PREFIX) and self._status is Status.OK
        slow = self._seconds > SLOW_SECONDS and not self.streaming
        write = log.warning if slow else log.debug if quiet else log.info
        write(
            "call",
            method=self._stream.path,
            status=self._status.name,
            ms=round(self._seconds * 1000, 1),
            address=self._stream.address,
        )


def read_headers(headers: Headers) -> tuple[Any, Deadline | None]:
    """The metadata and the deadline of a call, which are the caller's text until now."""
    try:
        return decode_metadata(headers), Deadline.from_headers(headers)
    except (ValueError, OverflowError):
        raise Invalid("The metadata or the deadline cannot be read") from None
