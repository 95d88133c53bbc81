"""The scheduler: fires each cron once a tick, however many schedulers run.

Redis holds each cron's next tick. Who finds it due replaces it by the one after and queues the
job, in one script, and only if the tick is still the one that he saw. A tick that came while no
scheduler ran is still the next one, so it fires on return: once, since the one after is counted
from now.

Redis holds the schedule as well, as it was announced last. All go by that one: in a rolling upgrade
the schedulers of two releases would replace each other's ticks. Each announces its own once in a
while, so that the one that remains has its way, whichever started last.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from redis.asyncio import Redis

from myapp.queue.client import new_job
from myapp.queue.connection import RedisLink
from myapp.queue.keys import Key
from myapp.queue.schedule import next_tick
from myapp.queue.scripts import Scripts
from myapp.queue.store import write_job
from myapp.queue.tasks import Cron
from myapp.until import until

log = structlog.get_logger()

# Seconds by which clocks may differ. A next tick that no such clock could have chosen is wrong.
CLOCK_SKEW = 60.0
ANNOUNCE_SECONDS = 300.0


class Scheduler:
    """Fires crons until it is told to stop. `clock` gives seconds since 1970."""

    def __init__(
        self,
        redis: Redis,
        crons: Iterable[Cron[Any]],
        *,
        link: RedisLink | None = None,
        clock: Callable[[], float] = time.time,
        poll: float = 1.0,
        announce_seconds: float = ANNOUNCE_SECONDS,
    ) -> None:
        """It looks every `poll` seconds, and at the next tick when that is sooner.

        Its schedules are announced at the start and every `announce_seconds`.
        """
        self._redis = redis
        self._scripts = Scripts(redis)
        self._crons = tuple(crons)
        self._link = link or RedisLink()
        self._clock = clock
        self._poll = poll
        self._announce_seconds = announce_seconds

    @property
    def healthy(self) -> bool:
        """Whether Redis answers."""
        return self._link.up

    @property
    def last_error(self) -> str | None:
        """Why Redis cannot be asked, while that is so."""
        return self._link.last_error

    async def run(self, stop: asyncio.Event) -> None:
        """Returns at `stop`. Nothing is under way then: a tick is one script."""
        for cron in self._crons:
            log.info("cron", name=cron.name, task=cron.task.name, schedule=cron.schedule)
        await until(stop, self._repeat())

    async def _repeat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._link.persist(self._announce_all)
            until_next = loop.time() + self._announce_seconds
            while loop.time() < until_next:
                wait = await self._link.persist(self._fire_due)
                await asyncio.sleep(wait)

    async def _announce_all(self) -> None:
        for cron in self._crons:
            await self._announce(cron)

    async def _announce(self, cron: Cron[Any]) -> int:
        """A cron that is new, or has a new schedule, starts with its first tick from now on."""
        first = next_tick(cron.schedule, self._clock())
        return int(await self._scripts.call("announce", cron.name, cron.schedule, first))

    async def _fire_due(self) -> float:
        """Fires what is due; returns the seconds until the next look."""
        wait = self._poll
        for cron in self._crons:
            schedule, tick = await self._read(cron)
            now = self._clock()
            latest = next_tick(schedule, now + CLOCK_SKEW)
            if tick <= now:
                tick = await self._fire(cron, tick, following=next_tick(schedule, now))
            elif tick > latest:
                await self._bring_back(cron, tick, latest)
            wait = min(wait, tick - now)
        return max(wait, 0.0)

    async def _read(self, cron: Cron[Any]) -> tuple[str, int]:
        """The schedule that stands, and the next tick."""
        stored = await self._redis.hmget(Key.CRON % cron.name, ["schedule", "next"])  # type: ignore[misc]  # sync or async, says redis-py
        schedule, tick = stored
        if schedule and tick:
            return schedule, int(tick)
        return cron.schedule, await self._announce(cron)

    async def _fire(self, cron: Cron[Any], tick: int, *, following: int) -> int:
        """Fires a tick unless another scheduler has; returns the tick after it."""
        key = key_of(cron, tick)
        fields = write_job(new_job(cron.task, cron.payload, key=key), cron.task.queue)
        fired = await self._scripts.call("tick", cron.name, tick, following, key, *fields)
        if fired:
            log.info("cron fired", name=cron.name, job=key)
        return following

    async def _bring_back(self, cron: Cron[Any], tick: int, latest: int) -> None:
        """Replaces a tick that was chosen by a wrong clock, or by another release's schedule."""
        key = key_of(cron, latest)
        if await self._scripts.call("bring_back", cron.name, tick, latest, key):
            log.warning("cron was set too far ahead", name=cron.name, tick=tick, instead=latest)


def key_of(cron: Cron[Any], tick: int) -> str:
    """The key of the job that a tick queues."""
    return f"cron:{cron.name}:{tick}"
