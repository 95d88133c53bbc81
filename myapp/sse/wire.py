"""The wire format: text/event-stream, as https://html.spec.whatwg.org has it."""

import random

from myapp.events import RESYNC, Event

HEARTBEAT = b":\n\n"
RETRY_MS = (1000, 3000)  # before a client returns, each after another time


def encode_opening(event_id: str) -> bytes:
    """The first piece of a stream. An id without data is kept by the client and shown to nobody."""
    return b"retry: %d\nid: %s\n\n" % (random_retry(), event_id.encode())


def encode_farewell() -> bytes:
    """The last piece of a stream that ends because its process does."""
    return b"retry: %d\n\n" % random_retry()


def encode_event(event: Event, event_id: str) -> bytes:
    """An event for a user. Its type needs no escaping: see the rule for types."""
    kind = event.type.encode()
    return b'id: %s\nevent: %s\ndata: {"type":"%s","data":%s}\n\n' % (
        event_id.encode(),
        kind,
        kind,
        event.data,
    )


def encode_event_with_user(event: Event, event_id: str) -> bytes:
    """An event for an administrator, who also sees whom it is for: null is everybody."""
    kind = event.type.encode()
    user = b'"%s"' % str(event.user_id).encode() if event.user_id else b"null"
    return b'id: %s\nevent: %s\ndata: {"type":"%s","user_id":%s,"data":%s}\n\n' % (
        event_id.encode(),
        kind,
        kind,
        user,
        event.data,
    )


def encode_resync(event_id: str) -> bytes:
    return encode_event(Event(RESYNC, b"{}"), event_id)


def random_retry() -> int:
    return random.randint(*RETRY_MS)  # noqa: S311  # spreads load, hides nothing
