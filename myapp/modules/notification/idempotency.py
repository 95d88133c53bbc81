"""Idempotency keys: the same request again gets the same answer, and has no effect again."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from tortoise.exceptions import IntegrityError

from myapp.database.idempotency import IdempotentRequest
from myapp.errors import Conflict, Unavailable

KEPT = timedelta(hours=24)
HELD = timedelta(seconds=30)  # a request that takes longer counts as dead
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key that a caller chose for a request; keys of two callers or routes never meet."""

    caller: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request under its key. `replay` is its answer, if it was answered before."""

    id: UUID
    holder: UUID
    replay: Mapping[str, Any] | None

    async def answer(self, answer: Mapping[str, Any]) -> None:
        """Keeps the answer: call it in the transaction of what the request does.

        Raises Conflict when this attempt took so long that another one has begun.
        """
        mine = IdempotentRequest.filter(id=self.id, holder=self.holder)
        if not await mine.update(answer=dict(answer), updated_at=datetime.now(UTC)):
            raise in_progress()

    async def abandon(self) -> None:
        """After a failure the same request may be tried afresh; an answer that is kept stays."""
        await IdempotentRequest.filter(id=self.id, holder=self.holder, answer__isnull=True).delete()


@asynccontextmanager
async def attempt(key: IdempotencyKey, request: str) -> AsyncIterator[Attempt]:
    """The one attempt at this request; what the block raises ends it.

    The row is committed before the block begins, so that others see a request under way. Raises
    Conflict while that is so, and for a key that another request has.
    """
    begun = await begin(key, sha256(request.encode(errors="surrogatepass")).hexdigest())
    try:
        yield begun
    except BaseException:
        with suppress(Unavailable):  # then the key is free in half a minute
            await begun.abandon()
        raise


async def begin(key: IdempotencyKey, request_hash: str) -> Attempt:
    names: dict[str, Any] = {
        "caller": key.caller,
        "route": key.route,
        "key_hash": sha256(key.key.encode()).hexdigest(),
    }
    for _ in range(ATTEMPTS):
        now, holder = datetime.now(UTC), uuid4()
        fresh: dict[str, Any] = {
            "request_hash": request_hash,
            "holder": holder,
            "held_until": now + HELD,
            "began_at": now,
        }
        try:
            row = await IdempotentRequest.create(**names, **fresh)
        except IntegrityError:
            found = await IdempotentRequest.get_or_none(**names)
            if found is not None and (met := await meet(found, fresh)):
                return met
            continue  # It was abandoned, answered or taken over in this moment.
        return Attempt(row.id, holder, None)
    raise in_progress()


async def meet(found: IdempotentRequest, fresh: Mapping[str, Any]) -> Attempt | None:
    """What an earlier request under the same key means for this one.

    None when it is no longer as it was found: one that counted as dead may yet have answered.
    """
    now: datetime = fresh["began_at"]
    if found.began_at > now - KEPT:
        if found.request_hash != fresh["request_hash"]:
            raise Conflict("Another request had this Idempotency-Key")
        if found.answer is not None:
            return Attempt(found.id, found.holder, found.answer)
        if found.is_under_way(at=now):
            raise in_progress()
    unchanged = IdempotentRequest.filter(
        id=found.id, holder=found.holder, answer__isnull=found.answer is None
    )
    if not await unchanged.update(answer=None, updated_at=now, **fresh):
        return None
    return Attempt(found.id, fresh["holder"], None)


def in_progress() -> Conflict:
    return Conflict("A request with this Idempotency-Key is under way", retry_after=1.0)
