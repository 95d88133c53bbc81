"""Every running process as it describes itself: a record in Redis for whoever looks on.

A record outlives its process by a few seconds at most. While Redis is away nobody is told, and
nobody waits.
"""

import asyncio
import os
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from uuid_utils import uuid7

from myapp import __version__
from myapp.enums import Role
from myapp.until import end

BEAT_SECONDS = 2.0
EXPIRY_SECONDS = 10  # then one that says nothing is gone
GOODBYE_SECONDS = 1.0
REDIS_FAULTS = (RedisError, OSError, TimeoutError)

# SET: ids of processes. An id without a record is one that has gone.
IDS = "myapp:processes"
# STRING with a lifetime: one process, as JSON.
RECORD = "myapp:process:%s"


class ProcessState(BaseModel):
    """A process that runs roles, as it described itself at `measured_at`, by its own clock.

    `requests` (HTTP), `errors` (those answered 5xx), `jobs_done` and `jobs_failed` count from the
    start of the process; between two looks, their difference over that of `measured_at` is a
    rate. So does `cpu_seconds`, in which no other process is counted, and so do the counts of
    `requests_within`: how many were answered within so many seconds, as Prometheus has it.
    `streams` are open now. What its roles do not do is null. `role` is that of `--role`.
    """

    model_config = ConfigDict(extra="ignore")  # a later release may say more

    id: Annotated[str, Field(examples=["0198c59f-11ab-7e10-8d1c-3c5b7a9d0e42"])]
    role: Annotated[str, Field(examples=["worker"])]
    roles: Annotated[list[str], Field(examples=[["worker"]])]
    host: Annotated[str, Field(examples=["myapp-worker-1"])]
    pid: int
    version: Annotated[str, Field(examples=["0.1.0"])]
    started_at: AwareDatetime
    measured_at: AwareDatetime
    memory_mb: float
    cpu_seconds: float
    requests: int | None
    errors: int | None
    requests_within: Annotated[
        dict[str, int] | None, Field(examples=[{"0.005": 90, "0.01": 99, "+Inf": 100}])
    ]
    streams: int | None
    jobs_done: int | None
    jobs_failed: int | None


class Presence:
    """Announces this process, from entry to exit."""

    def __init__(
        self,
        redis: Redis,
        metrics: CollectorRegistry,
        *,
        roles: Sequence[str],
        beat: float = BEAT_SECONDS,
    ) -> None:
        self.id = str(uuid7())
        self._redis = redis
        self._metrics = metrics
        self._roles = [str(role) for role in roles]
        self._beat = beat
        self._started_at = datetime.now(UTC)
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._keep(), name="presence")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running:
            await end(self._running)
        with suppress(*REDIS_FAULTS):
            async with asyncio.timeout(GOODBYE_SECONDS), self._redis.pipeline() as pipeline:
                pipeline.delete(RECORD % self.id)
                pipeline.srem(IDS, self.id)
                await pipeline.execute()

    async def _keep(self) -> None:
        while True:
            with suppress(*REDIS_FAULTS):  # those who need Redis say that it is away
                await self._announce()
            await asyncio.sleep(self._beat)

    async def _announce(self) -> None:
        record = self.describe().model_dump_json()
        async with self._redis.pipeline() as pipeline:
            pipeline.set(RECORD % self.id, record, ex=EXPIRY_SECONDS)
            pipeline.sadd(IDS, self.id)
            await pipeline.execute()

    def describe(self) -> ProcessState:
        """This process now."""
        return ProcessState(
            id=self.id,
            role="all" if len(self._roles) == len(Role) else ",".join(self._roles),
            roles=self._roles,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started_at=self._started_at,
            measured_at=datetime.now(UTC),
            memory_mb=measure_memory(),
            cpu_seconds=round(time.process_time(), 2),
            **count_work(self._metrics, self._roles),
        )


async def read_processes(redis: Redis) -> list[ProcessState]:
    """Every process that was heard of lately, the longest running first.

    What another release says in words that this one cannot read is left out: during an upgrade
    both run side by side. Raises one of REDIS_FAULTS.
    """
    ids = list(await redis.smembers(IDS))  # type: ignore[misc]  # sync or async, says redis-py
    if not ids:
        return []
    names = [one.decode() if isinstance(one, bytes) else one for one in ids]
    records = await redis.mget([RECORD % name for name in names])
    if gone := [name for name, record in zip(names, records, strict=True) if record is None]:
        await redis.srem(IDS, *gone)  # type: ignore[misc]  # one that lives after all adds itself
    found = []
    for record in filter(None, records):
        with suppress(ValidationError):
            found.append(ProcessState.model_validate_json(record))
    return sorted(found, key=lambda process: (process.started_at, process.id))


def count_work(metrics: CollectorRegistry, roles: Collection[str]) -> dict[str, Any]:
    """What this process has done, from its own metrics; None for what its roles do not do."""
    requests = {
        "requests": total(metrics, "http_requests_total"),
        "errors": total(metrics, "http_requests_total", lambda of: of["status"].startswith("5")),
        "requests_within": count_within(metrics),
        "streams": total(metrics, "event_streams_open"),
    }
    jobs = {
        "jobs_done": total(metrics, "job_attempts_total", lambda of: of["outcome"] == "complete"),
        "jobs_failed": total(metrics, "job_attempts_total", lambda of: of["outcome"] == "failed"),
    }
    return {
        **(requests if Role.API in roles else dict.fromkeys(requests)),
        **(jobs if Role.WORKER in roles else dict.fromkeys(jobs)),
    }


def total(
    metrics: CollectorRegistry,
    name: str,
    counts: Callable[[dict[str, str]], bool] = lambda _: True,
) -> int:
    """The sum of a metric's samples whose labels count."""
    return round(sum(one.value for one in samples(metrics, name) if counts(one.labels)))


def count_within(metrics: CollectorRegistry) -> dict[str, int]:
    """Requests of all routes by the bounds of their histogram, each with those before it."""
    counts: Counter[str] = Counter()
    for sample in samples(metrics, "http_request_duration_seconds_bucket"):
        counts[sample.labels["le"]] += round(sample.value)
    return dict(counts)


def samples(metrics: CollectorRegistry, name: str) -> Iterator[Sample]:
    for family in metrics.restricted_registry([name]).collect():
        yield from family.samples


def measure_memory() -> float:
    """The resident memory of this process in MB; where Linux is not, its peak."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return round(int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6, 1)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
