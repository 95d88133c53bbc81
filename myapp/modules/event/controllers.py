"""HTTP for live events."""

from functools import partial

from quart import Response, g, request
from quart.wrappers.response import ResponseBody
from quart_schema import document_headers

from myapp.binding import describe, gives, queries, refuses, takes
from myapp.connection import abort_connection
from myapp.errors import Forbidden, Invalid, NotFound, Unauthenticated
from myapp.middleware.auth import actor, principal
from myapp.modules.event.dtos import (
    AdminStreamQuery,
    EventReceipt,
    NewEvent,
    StreamHeaders,
    StreamQuery,
    TicketResponse,
)
from myapp.modules.event.usecases import Abort, PublishUsecase, StreamUsecase
from myapp.sse.stream import Stream
from myapp.sse.tickets import TICKET_LIFETIME

STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}
STREAM = {
    "200": {
        "description": "Events, until the client hangs up or may no longer listen",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}


class StreamController:
    """Listening."""

    def __init__(self, streams: StreamUsecase) -> None:
        self._streams = streams

    @gives(TicketResponse)
    async def issue_ticket(self) -> TicketResponse:
        """A ticket for a client that can send no headers.

        Opens one stream, once, within 30 seconds: `GET /events?ticket=`. The stream ends when the
        token expires with which the ticket was got.
        """
        ticket = await self._streams.issue_ticket(principal())
        return TicketResponse(ticket=ticket, expires_in=int(TICKET_LIFETIME.total_seconds()))

    @refuses(Unauthenticated, Forbidden)
    @partial(describe, responses=STREAM)
    @document_headers(StreamHeaders)
    @queries(StreamQuery)
    async def stream_events(self, query: StreamQuery) -> Response:
        """Your live events.

        A `text/event-stream` of your own events and those for everybody. With `Last-Event-ID` it
        goes on after that event; where history does not reach back so far one event `resync`
        comes instead: then load your state afresh. A client that opens with a made-up id gets a
        `resync` first, and with it an id to come back by.
        """
        if request.method == "HEAD":
            return Response(b"", headers=STREAM_HEADERS)
        return answer(await self._open(query, abort=abort_this()))

    async def _open(self, query: StreamQuery, *, abort: Abort) -> Stream:
        last_event_id = read_last_event_id(query.last_event_id)
        if query.ticket is None:
            if g.principal is None:
                raise Unauthenticated("Send a token, or a ticket as ?ticket=")
            return await self._streams.open(principal(), last_event_id=last_event_id, abort=abort)
        if g.principal is not None:
            raise Invalid("Send either a token or a ticket, not both")
        return await self._streams.open_by_ticket(
            query.ticket, last_event_id=last_event_id, abort=abort
        )

    @partial(describe, responses=STREAM)
    @document_headers(StreamHeaders)
    @queries(AdminStreamQuery)
    async def stream_all_events(self, query: AdminStreamQuery) -> Response:
        """Everyone's live events.

        As `GET /events`, with the `user_id` of each event: null is everybody.
        """
        if request.method == "HEAD":
            return Response(b"", headers=STREAM_HEADERS)
        stream = await self._streams.open_everything(
            principal(),
            last_event_id=read_last_event_id(query.last_event_id),
            abort=abort_this(),
        )
        return answer(stream)


class PublishController:
    """Telling."""

    def __init__(self, publishing: PublishUsecase) -> None:
        self._publishing = publishing

    @refuses(NotFound)
    @takes(NewEvent)
    @gives(EventReceipt, status=202)
    async def publish_event(self, event: NewEvent) -> EventReceipt:
        """Send an event.

        To one user, or to everybody without `user_id`. The data is an object of at most 64 KiB;
        types that the system sends itself are refused.
        """
        return EventReceipt(id=await self._publishing.publish(event, actor=actor()))


class StreamBody(ResponseBody):
    """The body of an answer that is a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def __aenter__(self) -> Stream:
        return self._stream

    async def __aexit__(self, *_: object) -> None:
        self._stream.close()


def answer(stream: Stream) -> Response:
    response = Response(StreamBody(stream), headers=STREAM_HEADERS)
    response.timeout = None  # Quart would end it after a minute
    return response


def abort_this() -> Abort:
    return partial(abort_connection, request.scope)


def read_last_event_id(parameter: str | None) -> str | None:
    """A browser that returns by itself repeats the parameter, and knows better in the header."""
    return request.headers.get("Last-Event-ID") or parameter or None
