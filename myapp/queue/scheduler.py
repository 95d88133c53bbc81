"""The scheduler: fires each cron once a tick, however many schedulers run.

Redis holds each cron's next tick. Who finds it due replaces it by the one after and queues the
job, in one script, and only if the tick is still the one that he saw. A tick that came while no
scheduler ran is still the next one, so it fires on return: once, since the one after is counted
from now.
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
    ) -> None:
        """It looks every `poll` seconds, and at the next tick when that is sooner."""
        self._redis = redis
        self._scripts = Scripts(redis)
        self._crons = tuple(crons)
        self._link = link or RedisLink()
        self._clock = clock
        self._poll = poll

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
        await self._link.persist(self._announce_all)
        while True:
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
            stored = await self._redis.hget(Key.CRON % cron.name, "next")  # type: ignore[misc]  # sync or async, says redis-py
            tick = int(stored) if stored else await self._announce(cron)
            now = self._clock()
            if tick <= now:
                tick = await self._fire(cron, tick, now=now)
            wait = min(wait, tick - now)
        return max(wait, 0.0)

    async def _fire(self, cron: Cron[Any], tick: int, *, now: float) -> int:
        """Fires a tick unless another scheduler has; returns the tick after it."""
        following = next_tick(cron.schedule, now)
        key = f"cron:{cron.name}:{tick}"
        fields = write_job(new_job(cron.task, cron.payload, key=key), cron.task.queue)
        fired = await self._scripts.call("tick", cron.name, tick, following, key, *fields)
        if fired:
            log.info("cron fired", name=cron.name, job=key)
        return following
