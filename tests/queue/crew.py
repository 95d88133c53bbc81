"""A worker process of its own, to be killed and frozen: `python crew.py URL`.

Its job writes its name and process to a list when it starts and when it ends.
"""

import asyncio
import os
import signal
import sys
from functools import partial

from redis.asyncio import Redis

from myapp.queue.connection import connect_queue
from myapp.queue.liveness import Timings
from myapp.queue.tasks import JobContext, Payload, Task, build_registry
from myapp.queue.worker import Worker

TIMINGS = Timings(beat=0.2, fence=2.5, lease=3.5, idle=0.2)
GRACE = 0.5  # seconds


class Sleep(Payload):
    seconds: float


SLEEP = Task("person:sleep", Sleep, attempts=2)


async def sleep(redis: Redis, context: JobContext, payload: Sleep) -> int:
    await redis.rpush("log", f"start {context.key} {os.getpid()}")  # type: ignore[misc]  # sync or async
    await asyncio.sleep(payload.seconds)
    await redis.rpush("log", f"end {context.key} {os.getpid()}")  # type: ignore[misc]  # sync or async
    return os.getpid()


async def main(url: str) -> None:
    redis = connect_queue(url)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    registry = build_registry([(SLEEP, partial(sleep, redis))])
    await Worker(redis, registry, timings=TIMINGS, deadline=GRACE + TIMINGS.farewell).run(stop)
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
