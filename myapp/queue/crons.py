"""The crons as operators see them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from myapp.errors import NotFound
from myapp.queue.connection import PATIENCE, within_patience
from myapp.queue.keys import Key
from myapp.queue.records import read_time
from myapp.queue.tasks import Cron


@dataclass(frozen=True, slots=True)
class CronState:
    """A cron and what became of its last run. `next_run_at` is None until a scheduler knows it."""

    name: str
    task: str
    schedule: str
    paused: bool
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_status: str | None


class CronBoard:
    """Shows and pauses crons. Raises Unavailable when Redis is away."""

    def __init__(self, redis: Redis, crons: Iterable[Cron[Any]]) -> None:
        self._redis = redis
        self._crons = {cron.name: cron for cron in crons}

    async def states(self) -> list[CronState]:
        """All crons, by name."""
        async with within_patience(PATIENCE):
            return [await self._read(cron) for _, cron in sorted(self._crons.items())]

    async def pause(self, name: str) -> None:
        """Lets this cron's ticks pass from now on. Raises NotFound."""
        self._check(name)
        async with within_patience(PATIENCE):
            await self._redis.hset(Key.CRON % name, "paused", "1")  # type: ignore[misc]  # sync or async, says redis-py

    async def resume(self, name: str) -> None:
        """Ends a pause; ticks that passed are not made up for. Raises NotFound."""
        self._check(name)
        async with within_patience(PATIENCE):
            await self._redis.hdel(Key.CRON % name, "paused")  # type: ignore[misc]  # sync or async, says redis-py

    def _check(self, name: str) -> None:
        if name not in self._crons:
            raise NotFound(f"There is no cron {name!r}")

    async def _read(self, cron: Cron[Any]) -> CronState:
        stored = await self._redis.hgetall(Key.CRON % cron.name)  # type: ignore[misc]  # sync or async, says redis-py
        last, following = stored.get("last_run_at"), stored.get("next")
        return CronState(
            name=cron.name,
            task=cron.task.name,
            schedule=cron.schedule,
            paused="paused" in stored,
            next_run_at=datetime.fromtimestamp(int(following), UTC) if following else None,
            last_run_at=read_time(last) if last else None,
            last_status=stored.get("last_status"),
        )
