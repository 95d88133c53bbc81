"""Whether somebody sends X-Forwarded-* whom TRUSTED_PROXIES does not name.

A proxy that is not named hides every client behind its own address: in the rate limits, the log
and the audit log. The program cannot know whether such a peer is a proxy or a client that makes
things up, so it believes nobody, counts, and leaves a note in Redis for `myapp doctor`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Self

import structlog
from prometheus_client import CollectorRegistry, Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

from myapp.config import Network
from myapp.until import end

NOTE = "myapp:forwarding"  # HASH: the peer seen last, when, and how many requests in all
NOTE_DAYS = 7
NOTE_SECONDS = 60.0  # between two notes of one process
FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})  # what would be believed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ForwardingNote:
    """Requests of the last week or so that were not believed; `peer` sent the last of them."""

    peer: str
    seen_at: datetime
    requests: int


class ForwardingWitness:
    """An ASGI application around another: it looks at the headers and changes nothing.

    To look takes under a microsecond a request; whether a peer is trusted is asked only where
    the headers are there. Open it as a context manager, inside Redis.
    """

    def __init__(
        self,
        app: ASGI3Application,
        *,
        trusted: Sequence[Network],
        redis: Redis,
        metrics: CollectorRegistry,
        note_seconds: float = NOTE_SECONDS,
    ) -> None:
        self._app = app
        self._trusted = trusted
        self._redis = redis
        self._note_seconds = note_seconds
        self._next_note = 0.0
        self._unnoted = 0
        self._noting: asyncio.Task[None] | None = None
        self._requests = Counter(
            "http_forwarded_untrusted",
            "Requests with X-Forwarded-* from a peer that TRUSTED_PROXIES does not name",
            registry=metrics,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._noting is not None:
            await end(self._noting)

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        headers: Any = scope.get("headers", ())
        for name, _ in headers:
            if name in FORWARDED:
                self._look(scope)
                break
        await self._app(scope, receive, send)

    def _look(self, scope: Any) -> None:
        client = scope.get("client")
        if client is None or self._trusts(client[0]):
            return
        self._requests.inc()
        self._unnoted += 1
        now = time.monotonic()
        if now >= self._next_note and (self._noting is None or self._noting.done()):
            if not self._next_note:
                log.warning("forwarding headers from a peer that is not trusted", peer=client[0])
            self._next_note = now + self._note_seconds
            self._noting = asyncio.create_task(self._note(client[0]))

    def _trusts(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

    async def _note(self, peer: str) -> None:
        count, self._unnoted = self._unnoted, 0
        try:
            async with self._redis.pipeline() as pipeline:
                pipeline.hset(NOTE, mapping={"peer": peer, "seen_at": time.time()})
                pipeline.hincrby(NOTE, "requests", count)
                pipeline.expire(NOTE, NOTE_DAYS * 86_400)
                await pipeline.execute()
        except (RedisError, OSError, TimeoutError):
            self._unnoted += count  # with the next one


async def read_note(redis: Redis) -> ForwardingNote | None:
    """What processes have noted; None where nobody has sent such a header for days."""
    stored: Mapping[Any, Any] = await redis.hgetall(NOTE)  # type: ignore[misc]  # sync or async, says redis-py
    note = {text(name): text(value) for name, value in stored.items()}
    if "peer" not in note:
        return None
    return ForwardingNote(
        peer=note["peer"],
        seen_at=datetime.fromtimestamp(float(note["seen_at"]), UTC),
        requests=int(note.get("requests", 0)),
    )


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
