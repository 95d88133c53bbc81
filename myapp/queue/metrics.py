"""What the queue measures."""

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from redis.asyncio import Redis

from myapp.queue.keys import Key
from myapp.queue.records import JobStatus

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)


class JobMetrics:
    """Attempts are this process's own; how full the queues are is the same for all workers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "job_attempts",
            "Attempts of jobs that have ended: complete, retried, failed, cancelled or put_back",
            ["task", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "job_duration_seconds",
            "How long an attempt took",
            ["task"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._jobs = Gauge(
            "queue_jobs", "Jobs of a queue, by status", ["queue", "status"], registry=registry
        )
        self._latency = Gauge(
            "queue_latency_seconds", "Age of the oldest waiting job", ["queue"], registry=registry
        )

    def count_attempt(self, task: str, outcome: str, *, seconds: float) -> None:
        self._attempts.labels(task, outcome).inc()
        self._seconds.labels(task).observe(seconds)

    async def measure_queues(self, redis: Redis, queues: Iterable[str]) -> None:
        """Looks how full these queues are, and since when their oldest job waits."""
        for queue in queues:
            pipeline = redis.pipeline(transaction=False)
            for status in JobStatus:
                pipeline.zcard(Key.BY_STATUS % (queue, status))
            waiting = Key.BY_STATUS % (queue, JobStatus.QUEUED)
            pipeline.zrange(waiting, 0, 0, withscores=True)
            *counts, oldest = await pipeline.execute()
            for status, count in zip(JobStatus, counts, strict=True):
                self._jobs.labels(queue, status.value).set(count)
            age = time.time() - oldest[0][1] / 1000 if oldest else 0.0
            self._latency.labels(queue).set(max(0.0, age))
