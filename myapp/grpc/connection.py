"""One client's HTTP/2 connection: grpclib's, which can also say goodbye and outlives nonsense."""

from asyncio import BaseTransport, Future, Transport, get_running_loop
from typing import cast

from grpclib.config import Configuration
from grpclib.protocol import Connection as H2Connection
from grpclib.protocol import EventsProcessor, H2Protocol
from h2.config import H2Configuration
from h2.events import DataReceived, Event, UnknownFrameReceived
from hyperframe.frame import GoAwayFrame

from myapp.grpc.calls import Calls, ConnectionCalls

NO_LAST_STREAM = 2**31 - 1
CONFIGURATION = Configuration().__for_server__()
H2_CONFIGURATION = H2Configuration(
    client_side=False,
    # ASCII would do, but then one wrong byte in a header ends the connection with a traceback.
    header_encoding="latin-1",
    # As grpclib has it: our own headers are right, and a caller's are judged call by call.
    validate_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_inbound_headers=False,
    normalize_outbound_headers=False,
)


class Connections(set["Connection"]):
    """The open connections of a server. When it is `over`, one that still comes is closed."""

    over = False


class Connection(H2Protocol):
    """Is in `connections` while it is open; `lost` is done afterwards."""

    def __init__(self, calls: Calls, connections: Connections) -> None:
        self._calls = ConnectionCalls(calls)
        self._connections = connections
        self._transport: Transport
        self.lost: Future[None] = get_running_loop().create_future()
        super().__init__(self._calls, CONFIGURATION, H2_CONFIGURATION)

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.processor = Events(self.handler, self.connection)
        hear_no_goodbye(self.connection)
        self._transport = cast("Transport", transport)
        self._connections.add(self)
        if self._connections.over:  # its handshake of TLS took longer than the server's end
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)
        self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self.connection.is_closing():  # grpclib has then taken h2 apart
            super().data_received(data)

    def discourage(self) -> None:
        """Asks the client for no new calls here; those already on their way are still served."""
        self._send_goaway(NO_LAST_STREAM)

    def say_goodbye(self) -> None:
        """Takes no more calls. The client learns which was the last, and repeats later ones."""
        self._calls.closed = True
        self._send_goaway(self._calls.last_stream_id)

    def close(self) -> None:
        """Closes when what was written has been sent."""
        self._transport.close()

    def abort(self) -> None:
        """Closes at once: a client that does not read would keep `close` waiting for ever."""
        self._transport.abort()

    def _send_goaway(self, last_stream_id: int) -> None:
        """Past h2, which takes a GOAWAY for the end and would send nothing after it."""
        frame = GoAwayFrame(stream_id=0, last_stream_id=last_stream_id)
        if not self._transport.is_closing():
            self._transport.write(frame.serialize())


def hear_no_goodbye(connection: H2Connection) -> None:
    """A client that closes sends a GOAWAY, waits for its calls, and hangs up by itself.

    h2 takes it for the end, would send no answer after it, and grpclib cancels all calls.
    """
    connection._connection._frame_dispatch_table[GoAwayFrame] = lambda _frame: ([], [])  # noqa: SLF001  # no public way


class Events(EventsProcessor):
    """Handles two harmless events that end a connection, or a call, in grpclib."""

    def process(self, event: Event) -> None:
        unknown = isinstance(event, UnknownFrameReceived)  # HTTP/2: implementations must ignore it
        empty = isinstance(event, DataReceived) and not event.flow_controlled_length
        if not unknown and not empty:
            super().process(event)
