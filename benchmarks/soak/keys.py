"""What Redis holds: what it is to keep for a day, and the rest, which has to level off."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.sse.keys import Key as EventKey

JOB = Key.JOB % ""
MARKS = (Key.ONCE % "", EventKey.ONCE % "")  # of what must not happen twice
# Single keys that hold more with every promise: the history of events, and the indexes of jobs.
HISTORY = (EventKey.USER % "", EventKey.ALL, EventKey.EVERYTHING)
QUEUE = "myapp:queue:"
INDEXES = (":requests", ":expiry")
KEYS_AT_ONCE = 1000
MIB = 2**20


@dataclass
class Holding:
    """Redis at one moment.

    `promised` counts keys by their prefix, `others` are the rest. Jobs that have not ended are
    among those: nothing is to be left undone for a day. `memory` is in MiB, without what the
    promises take.
    """

    promised: Counter[str] = field(default_factory=Counter)
    others: int = 0
    unfinished: int = 0
    memory: float = 0.0


@dataclass(frozen=True)
class Found:
    """A key: `lifetime` in seconds, negative without an end; the status is a job's alone."""

    name: str
    lifetime: int
    bytes: int
    status: str | None

    @property
    def is_unfinished(self) -> bool:
        return self.name.startswith(JOB) and not has_ended(self.status)

    @property
    def promise(self) -> str | None:
        """The prefix under which it is promised, None if it is not."""
        if self.name.startswith(JOB):
            return JOB if has_ended(self.status) else None
        mark = next((each for each in MARKS if self.name.startswith(each)), None)
        return mark if self.lifetime >= 0 else None

    @property
    def grows(self) -> bool:
        """Whether it is one key and yet holds more with every promise."""
        if self.name.startswith(QUEUE):
            return self.name.endswith(INDEXES) or ":status:" in self.name
        return self.name.startswith(HISTORY)


async def look(redis: Redis) -> Holding:
    """Looks at every key once."""
    # As a set: a scan may name a key twice.
    names = list({name async for name in redis.scan_iter(count=KEYS_AT_ONCE)})
    holding, promised = Holding(), 0
    stats: dict[str, Any] = await redis.memory_stats()
    for start in range(0, len(names), KEYS_AT_ONCE):
        for key in await read(redis, names[start : start + KEYS_AT_ONCE]):
            holding.unfinished += key.is_unfinished
            if key.promise:
                holding.promised[key.promise] += 1
            else:
                holding.others += 1
            promised += key.bytes if key.promise or key.grows else 0
    promised += stats.get("db.0", {}).get("overhead.hashtable.expires", 0)
    holding.memory = (stats["total.allocated"] - promised) / MIB
    return holding


async def read(redis: Redis, names: Sequence[str]) -> list[Found]:
    """Those that are still there."""
    async with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.ttl(name)
            pipeline.memory_usage(name)
            if name.startswith(JOB):
                pipeline.hget(name, "status")
            else:
                pipeline.echo("")
        answers = iter(await pipeline.execute())
    found = zip(names, answers, answers, answers, strict=True)
    return [Found(name, ttl, size, status) for name, ttl, size, status in found if size]


def has_ended(status: str | None) -> bool:
    return status is not None and JobStatus(status).ended
