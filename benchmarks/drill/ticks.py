"""The drill's cron: each tick fires at most once, and none is missing without an outage.

Promised is that a tick which is due while a scheduler and Redis live fires; of those that come
while either is away, the first fires on return, and for all of them. So a tick may be missing only
where the fired one before it was late past it, and an outage was why.
"""

import asyncio
import itertools
import math
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce

from redis.asyncio import Redis
from redis.exceptions import RedisError

from benchmarks.drill.faults import Suffered
from benchmarks.drill.feature import TICK_SECONDS, TICKS
from benchmarks.drill.fleet import SCHEDULERS, Fleet
from benchmarks.drill.history import moment_of, read_logs
from benchmarks.drill.parts import Part
from myapp.queue.keys import Key

# Who waits for Redis looks again after two seconds at the latest, and then fires what is due.
RETURN_SECONDS = 5.0
LOOK_SECONDS = 0.1

Span = tuple[float, float]


@dataclass(frozen=True)
class TickFindings:
    """`passed` are those for which another one fired on return from an outage."""

    due: int
    passed: int
    missing: Sequence[int]
    repeated: Sequence[int]


def judge(
    due: Iterable[int],
    fired: Mapping[int, Sequence[float]],
    said: Container[int],
    outages: Iterable[Span],
) -> TickFindings:
    """`fired` has the times at which each tick that was done was queued, as time.time(); those in
    `said` were fired, as a scheduler says, so that nothing excuses that they were not done.
    """
    ticks, spans = list(due), list(outages)
    passed: list[int] = []
    missing: list[int] = []
    covered: Span = (-math.inf, -math.inf)  # from the last tick that fired until it did
    for tick in ticks:
        if times := fired.get(tick):
            covered = (tick, min(times))
        elif (
            tick not in said
            and tick <= covered[1]
            and any(overlap(covered, span) for span in spans)
        ):
            passed.append(tick)
        else:
            missing.append(tick)
    repeated = [tick for tick, times in fired.items() if len(times) > 1]
    return TickFindings(len(ticks), len(passed), missing, repeated)


def outages_of(fleet: Fleet, suffered: Iterable[Suffered]) -> list[Span]:
    """When no scheduler or no Redis was there, and the time that a return may take."""
    away = [(each.began, each.ended) for each in fleet.parts["redis"].outages]
    away += [(each.began, each.ended) for each in suffered if each.fault.deed == "full"]
    away += reduce(intersect, [times_down(fleet, fleet.parts[name]) for name in SCHEDULERS])
    return [(began, ended + RETURN_SECONDS) for began, ended in away]


def times_down(fleet: Fleet, scheduler: Part) -> list[Span]:
    """When a scheduler did not run: after a start until it says so."""
    lines = read_logs(fleet.folder, scheduler.name)
    said = [moment_of(line) for line in lines if line["event"] == "cron"]
    spans = [
        (each.began, min((moment for moment in said if moment > each.ended), default=math.inf))
        if each.restarted
        else (each.began, each.ended)
        for each in scheduler.outages
    ]
    return [*spans, (scheduler.gone_since, math.inf)] if scheduler.gone_since else spans


def intersect(some: Iterable[Span], others: Iterable[Span]) -> Iterable[Span]:
    pairs = itertools.product(some, others)
    common = [(max(a[0], b[0]), min(a[1], b[1])) for a, b in pairs if overlap(a, b)]
    return sorted(set(common))


def overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


async def first_tick(redis: Redis) -> int:
    """The first tick that a scheduler has to see to; from then on none may be missing."""
    while not (tick := await next_tick(redis)):  # noqa: ASYNC110  # another program looks
        await asyncio.sleep(LOOK_SECONDS)
    return tick


async def close_ticks(redis: Redis, *, within: float) -> int:
    """Ends the ticking, so that the queues come to rest; returns the last tick that was due.

    What is due by now has its time to fire; where it does not, it will be missing.
    """
    last = int(time.time()) // TICK_SECONDS * TICK_SECONDS
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while not await close_after(last, redis):  # noqa: ASYNC110  # another program looks
                await asyncio.sleep(LOOK_SECONDS)
    return last


async def close_after(tick: int, redis: Redis) -> bool:
    """Pauses the cron if a scheduler has seen to this tick; whether it did."""
    if (await next_tick(redis) or 0) <= tick:
        return False
    with suppress(RedisError):
        await redis.hset(Key.CRON % TICKS.name, "paused", "1")  # type: ignore[misc]  # sync or async, says redis-py
        return True
    return False


async def next_tick(redis: Redis) -> int | None:
    """None where there is none yet, or no Redis."""
    with suppress(RedisError):
        if stored := await redis.hget(Key.CRON % TICKS.name, "next"):  # type: ignore[misc]  # sync or async, says redis-py
            return int(stored)
    return None
