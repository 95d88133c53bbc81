"""Where an event stands in the order of all events, and the id by which a client knows it."""

import hmac
import re
from base64 import urlsafe_b64encode
from typing import NamedTuple

EPOCH_BYTES = 6
MAC_BYTES = 9  # nobody can try out 2^72 of them against us

BODY = re.compile(r"([0-9a-f]{12})\.([0-9]{1,16})\.([0-9]{1,16})\.([0-9]{1,16})", re.ASCII)


class Position(NamedTuple):
    """A place in the one order of events. `at` compares within an epoch, and only there.

    An epoch begins when Redis has lost events: an older position then says nothing any more.
    `at` is a time in milliseconds by the clock of Redis, and a number within that millisecond;
    `quiet_for` says how many milliseconds later there still was nothing after it.
    """

    epoch: str
    at: tuple[int, int]
    quiet_for: int = 0


class IdSeal:
    """Turns positions into ids and back.

    An id is good only where it was given out, so that every other one is known for unknown: it is
    sealed for a scope, which is a user, everybody, or the administrators.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, position: Position, scope: str) -> str:
        """The id of a position, in characters that a header and a URL take as they are."""
        ms, n = position.at
        body = f"{position.epoch}.{ms}.{n}.{position.quiet_for}"
        return f"{body}.{self._mac(body, scope)}"

    def open(self, text: str, *scopes: str) -> Position | None:
        """The position behind an id of one of these scopes, None where it is no such id."""
        body, _, mac = text.rpartition(".")
        match = BODY.fullmatch(body)
        if match is None or not any(
            hmac.compare_digest(mac.encode(), self._mac(body, scope).encode()) for scope in scopes
        ):
            return None
        return Position(match[1], (int(match[2]), int(match[3])), int(match[4]))

    def _mac(self, body: str, scope: str) -> str:
        digest = hmac.digest(self._key, f"{scope} {body}".encode(), "sha256")
        return urlsafe_b64encode(digest[:MAC_BYTES]).decode()
