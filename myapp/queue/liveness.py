"""Who lives: each worker's beat, and the rescue of what a dead one left.

Nobody's clock is compared with another's. A worker adds to its beat in Redis every few seconds;
who sees a beat stand still for a whole lease, by his own clock, may take its jobs, in one script
that looks at the beat once more. A worker that could not renew its beat stops what it runs a
margin before anybody may do so: then no job runs twice at once, whether Redis is away for all or
for one. Only a process that was stopped as a whole (SIGSTOP, a blocked loop) for longer than the
lease can run on for a moment next to its successor, until its first look at the clock; what it
then says of its jobs is not heard, since each claim of a job has a number of its own.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from myapp.queue.connection import REDIS_FAULTS, RedisLink
from myapp.queue.scripts import Scripts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Timings:
    """In seconds. A killed worker's jobs are queued again within lease + 2 beats."""

    beat: float = 2.0
    lease: float = 15.0
    fence: float = 12.0
    idle: float = 1.0
    trim: float = 5.0
    goodbye: float = 2.0

    def __post_init__(self) -> None:
        if not self.beat < self.fence < self.lease:
            raise ValueError("a worker beats, then doubts itself, then may be taken for dead")

    @property
    def farewell(self) -> float:
        """How long a stop may take after the grace of its jobs, with Redis away: until handlers
        have ended, until that was reported, and until the worker has signed off."""
        return 3 * self.goodbye


class Watch:
    """What one observer has seen of the others' beats, and since when."""

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._seen: dict[str, tuple[str, float]] = {}

    def observe(self, beats: Mapping[str, str], *, now: float) -> list[str]:
        """Takes note of every beat; returns whose has stood still for a lease."""
        self._seen = {
            worker: seen if (seen := self._seen.get(worker)) and seen[0] == beat else (beat, now)
            for worker, beat in beats.items()
        }
        return [worker for worker, (_, since) in self._seen.items() if now - since >= self._lease]

    def forget(self) -> None:
        """After a time without Redis everybody gets a new lease: they could not beat either."""
        self._seen.clear()


class Membership:
    """A worker process among the workers.

    `joined` is set while it may take jobs; `era` goes up whenever what it held may be others'.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        worker: str,
        queues: Iterable[str],
        describe: Callable[[], Mapping[str, object]],
        cancel: Callable[[str], None],
        doubt: Callable[[], None],
        link: RedisLink,
        timings: Timings,
    ) -> None:
        """`describe` gives the record for operators, `cancel` ends the job of a key, and `doubt`
        stops every job, since they may no longer be this worker's."""
        self._scripts = Scripts(redis)
        self._worker = worker
        self._queues = ",".join(queues)
        self._describe = describe
        self._cancel = cancel
        self._doubt = doubt
        self._link = link
        self._timings = timings
        self._watch = Watch(timings.lease)
        self._renewed = time.monotonic()
        self.joined = asyncio.Event()
        self.era = 0

    async def keep(self) -> None:
        """Joins, beats, and rescues the dead, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._doubt_in_time())
            while True:
                await self._link.persist(self.step)
                await asyncio.sleep(self._timings.beat)

    async def leave(self) -> None:
        """Signs off, and puts back every job that is still held."""
        self.joined.clear()
        try:
            async with asyncio.timeout(self._timings.goodbye):
                count = await self._scripts.call("leave", self._worker)
        except REDIS_FAULTS as error:
            log.warning("worker could not sign off, others will see to its jobs", error=str(error))
        else:
            log.info("worker signed off", jobs_put_back=count)

    async def step(self) -> None:
        """One beat and one look at the others. Raises one of REDIS_FAULTS."""
        try:
            await self._renew()
        except REDIS_FAULTS:
            self._watch.forget()
            raise

    async def _renew(self) -> None:
        sent = time.monotonic()
        answer = await self._scripts.call("beat", self._worker, self._record())
        if answer is None:
            await self._join()
            return
        self._renewed = sent
        self.joined.set()
        cancels, beats = answer
        for key in cancels:
            self._cancel(key)
        await self._rescue(dict(zip(beats[::2], beats[1::2], strict=True)))

    async def _join(self) -> None:
        if self.joined.is_set():
            log.warning("worker was taken for dead, or redis lost its data; it joins again")
            self._stand_down()
        sent = time.monotonic()
        await self._scripts.call("join", self._worker, self._queues, self._record())
        self._renewed = sent
        self.joined.set()

    async def _rescue(self, beats: Mapping[str, str]) -> None:
        for worker in self._watch.observe(beats, now=time.monotonic()):
            if worker == self._worker:
                continue
            count = await self._scripts.call("rescue", worker, beats[worker])
            if count is not None:
                log.warning("rescued the jobs of a dead worker", dead=worker, jobs=count)

    async def _doubt_in_time(self) -> None:
        while True:
            left = self._renewed + self._timings.fence - time.monotonic()
            if left > 0:
                await asyncio.sleep(left)
                continue
            if self.joined.is_set():
                log.warning("worker stops its jobs: it could not renew its lease")
            self._stand_down()
            await asyncio.sleep(self._timings.beat)

    def _stand_down(self) -> None:
        self.joined.clear()
        self.era += 1
        self._doubt()

    def _record(self) -> str:
        return json.dumps(self._describe())
