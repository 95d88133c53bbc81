"""A call's stream of messages: grpclib's, with the limits and answers that it lacks."""

import struct
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import DecodeError
from grpclib import GRPCError, Status
from grpclib.const import Handler
from grpclib.encoding.proto import ProtoCodec, ProtoStatusDetailsCodec
from grpclib.events import _DispatchServerEvents
from grpclib.protocol import Stream as WireStream
from grpclib.server import Stream
from h2.errors import ErrorCodes

from myapp.correlation import choose_request_id

REQUEST_ID = "x-request-id"
PREFIX = struct.Struct(">?I")  # before each message: is it compressed, and its length in bytes

CODEC = ProtoCodec()
DETAILS_CODEC = ProtoStatusDetailsCodec()


class CallStream(Stream[Any, Any]):
    """What a handler reads from and writes to.

    A message over `message_limit` bytes, a compressed one and one that cannot be read raise
    GRPCError with the status that says so. `request_id` goes back to the caller with the first
    metadata that is sent. `status` is what the call ended with, None before that. `caller` is whom
    the gate has let in. `end` ends the call with an error, whatever the handler is waiting for.
    """

    end: Callable[[GRPCError], None]

    def __init__(
        self, wire: WireStream, headers: Mapping[str, str], method: Handler, *, message_limit: int
    ) -> None:
        super().__init__(
            wire,
            headers.get(":path", ""),
            method.cardinality,
            method.request_type,
            method.reply_type,
            codec=CODEC,
            status_details_codec=DETAILS_CODEC,
            dispatch=_DispatchServerEvents(),
            user_agent=headers.get("user-agent"),
        )
        self.path = headers.get(":path", "")
        self.request_id = choose_request_id(headers.get(REQUEST_ID, ""))
        self.status: Status | None = None
        self.caller: Any = None
        self._message_limit = message_limit

    @property
    def address(self) -> str | None:
        """The caller's, as the connection has it."""
        peer = self.peer.addr()
        return peer[0] if peer else None

    async def recv_message(self) -> Any:
        """The next message, or None when the caller has sent the last.

        The length is judged before the message is awaited: nobody makes us hold more than the
        limit in memory.
        """
        prefix = await self._read(PREFIX.size)
        if not prefix:
            return self._end_of_messages()
        compressed, size = PREFIX.unpack(prefix)
        if compressed:
            raise GRPCError(Status.UNIMPLEMENTED, "Compressed messages are not supported")
        if size > self._message_limit:
            text = f"The message is larger than {self._message_limit} bytes"
            raise GRPCError(Status.RESOURCE_EXHAUSTED, text)
        message = await self._read(size)
        if len(message) < size:
            raise GRPCError(Status.INVALID_ARGUMENT, "The message is cut short")
        self._messages_received += 1
        return self._decode(message)

    async def finish(self, error: GRPCError | None = None) -> None:
        """Sends the status, if the handler has not: that of `error`, or OK."""
        if self._send_trailing_metadata_done:
            return
        if error is None:
            await self.send_trailing_metadata()
        else:
            await self.send_trailing_metadata(
                status=error.status, status_message=error.message, status_details=error.details
            )

    def abandon(self) -> None:
        """Ends the stream without a status, for a caller who takes none."""
        if self._stream.closable:
            self._stream.reset_nowait(ErrorCodes.CANCEL)

    async def send_initial_metadata(self, *, metadata: Any = None) -> None:
        await super().send_initial_metadata(metadata=self._with_request_id(metadata))

    async def send_trailing_metadata(self, *, metadata: Any = None, **outcome: Any) -> None:
        """As grpclib's. An answer without messages is one frame: its metadata is the first too."""
        if not self._send_initial_metadata_done:
            metadata = self._with_request_id(metadata)
        await super().send_trailing_metadata(metadata=metadata, **outcome)
        self.status = outcome.get("status", Status.OK)

    def _with_request_id(self, metadata: Any) -> list[tuple[str, Any]]:
        pairs = metadata.items() if isinstance(metadata, Mapping) else metadata or ()
        return [*pairs, (REQUEST_ID, self.request_id)]

    def _end_of_messages(self) -> None:
        if not self._cardinality.client_streaming and not self._messages_received:
            raise GRPCError(Status.INVALID_ARGUMENT, "The request has no message")

    def _decode(self, message: bytes) -> Any:
        try:
            return self._codec.decode(message, self._recv_type)
        except DecodeError:
            text = "The message is not of the type that this method takes"
            raise GRPCError(Status.INVALID_ARGUMENT, text) from None

    async def _read(self, size: int) -> bytes:
        try:
            return await self._stream.recv_data(size)
        except AssertionError:  # so says grpclib when the caller's last byte came too early
            raise GRPCError(Status.INVALID_ARGUMENT, "The message is cut short") from None
