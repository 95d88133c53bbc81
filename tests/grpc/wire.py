"""A client that says anything, also what no gRPC client would: h2 over a plain socket."""

import socket
import struct
from collections.abc import Iterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from hyperframe.frame import Frame

from tests.grpc.probe import SERVICE, Note

ENDS = (StreamEnded, StreamReset, ConnectionTerminated)


def framed(message: bytes, *, compressed: bool = False, length: int | None = None) -> bytes:
    return struct.pack(">?I", compressed, len(message) if length is None else length) + message


GOOD = framed(Note(text="good").SerializeToString())


class Wire:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        configuration = H2Configuration(
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = H2Connection(configuration)
        self.h2.initiate_connection()
        self.send()

    def send(self, raw: bytes = b"") -> None:
        self.socket.sendall(self.h2.data_to_send() + raw)

    def request(
        self, headers: dict[str, str | bytes] | None = None, *, method: str = "Echo"
    ) -> int:
        """Begins a call; headers override the usual ones."""
        usual: dict[str, str | bytes] = {
            ":method": "POST",
            ":scheme": "http",
            ":path": f"/{SERVICE}/{method}",
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, list({**usual, **(headers or {})}.items()))
        return stream

    def call(
        self, body: bytes = GOOD, headers: dict[str, str | bytes] | None = None
    ) -> dict[str, str]:
        """Makes a call and returns all headers and trailers of its answer."""
        stream = self.request(headers)
        self.h2.send_data(stream, body, end_stream=True)
        self.send()
        return self.answer(stream)

    def answer(self, stream: int) -> dict[str, str]:
        """What comes until the stream, or the connection, ends."""
        found: dict[str, str] = {}
        for event in self.events():
            if isinstance(event, ResponseReceived | TrailersReceived):
                found |= {str(name): str(value) for name, value in event.headers}
            elif isinstance(event, DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, ENDS):
                return found
        raise AssertionError(f"the connection closed after {found}")

    def events(self) -> Iterator[Event]:
        while data := self.socket.recv(65536):
            yield from self.h2.receive_data(data)
            self.send()

    def frames(self) -> Iterator[Frame]:
        """What the server sends, as it stands: h2 reads little after a GOAWAY."""
        with self.socket.makefile("rb") as file:
            while head := file.read(9):
                frame, length = Frame.parse_frame_header(memoryview(head))
                frame.parse_body(memoryview(file.read(length)))
                yield frame
