"""Our worker with every safety on, against SAQ's own with the same handler on the same server.

    python -m benchmarks.jobs [--rounds 7] [--jobs 5000] [--concurrency 10]

Each worker is a process of its own. The jobs are queued before the clock starts; it stops when
the last of them has ended. Ours has policies, the index of jobs, rescue, attempts, metrics and a
log at `info` in JSON; SAQ's is as its documentation starts it, with no log.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from tempfile import TemporaryFile
from typing import Any

import uvloop
from redis.asyncio import Redis
from saq.queue.redis import RedisQueue
from saq.worker import Worker as SaqWorker

from benchmarks.measurement import Quantities, measure_in_turns
from benchmarks.report import Report
from myapp.logger import configure_logging
from myapp.queue.client import JobQueue
from myapp.queue.connection import connect_queue
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.queue.tasks import JobContext, Payload, Task, build_registry
from myapp.queue.worker import Worker
from tests.support.valkey import running_valkey

QUEUE_AT_ONCE = 20
LOOK_SECONDS = 0.002  # between two looks whether the last job's end is written


class Number(Payload):
    number: int


TASK = Task("number:note", Number)


class Countdown:
    """The handler of both, and when it has been called often enough."""

    def __init__(self, jobs: int) -> None:
        self._left = jobs
        self.over = asyncio.Event()

    async def ours(self, _: JobContext, payload: Number) -> None:
        self._note(payload.number)

    async def theirs(self, _: Any, *, number: int) -> None:
        self._note(number)

    def _note(self, _: int) -> None:
        self._left -= 1
        if not self._left:
            self.over.set()


async def work_ours(url: str, jobs: int, concurrency: int) -> Quantities:
    redis = connect_queue(url)
    await redis.flushall()
    queue, countdown, stop = JobQueue(redis), Countdown(jobs), asyncio.Event()
    await queue_all(jobs, lambda number: queue.enqueue(TASK, Number(number=number)))
    registry = build_registry([(TASK, countdown.ours)])

    async def count_unfinished() -> int:
        statuses = (JobStatus.QUEUED, JobStatus.ACTIVE)
        counts = [await redis.zcard(Key.BY_STATUS % (TASK.queue, one)) for one in statuses]
        return sum(counts)

    with TemporaryFile("w") as log:
        configure_logging("info", "json", file=log)
        worker = Worker(redis, registry, queues=[TASK.queue], concurrency=concurrency)
        began = time.perf_counter()
        working = asyncio.create_task(worker.run(stop))
        measured = await finish(countdown, count_unfinished, redis, began, jobs)
        stop.set()
        await working
    await redis.aclose()
    return measured


async def work_theirs(url: str, jobs: int, concurrency: int) -> Quantities:
    queue, countdown = RedisQueue(Redis.from_url(url), name=TASK.queue), Countdown(jobs)
    await queue.redis.flushall()
    await queue_all(jobs, lambda number: queue.enqueue(TASK.name, number=number))
    functions = [(TASK.name, countdown.theirs)]
    worker = SaqWorker[Any](queue, functions, concurrency=concurrency)
    began = time.perf_counter()
    working = asyncio.create_task(worker.start())
    measured = await finish(countdown, partial(queue.count, "incomplete"), queue.redis, began, jobs)
    await worker.stop()
    await working
    await queue.disconnect()
    return measured


WORKERS = {"bare SAQ": work_theirs, "ours, every safety on": work_ours}


async def queue_all(jobs: int, queue_one: Callable[[int], Awaitable[object]]) -> None:
    for first in range(0, jobs, QUEUE_AT_ONCE):
        await asyncio.gather(*map(queue_one, range(first, min(jobs, first + QUEUE_AT_ONCE))))


async def finish(
    countdown: Countdown,
    count_unfinished: Callable[[], Awaitable[int]],
    redis: Redis,
    began: float,
    jobs: int,
) -> Quantities:
    """Jobs a second, and what one cost the worker and the server of processor time."""
    server = await redis.info("cpu")
    cpu = time.process_time()
    await countdown.over.wait()
    while await count_unfinished():  # noqa: ASYNC110  # Redis tells nobody
        await asyncio.sleep(LOOK_SECONDS)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    after = await redis.info("cpu")
    names = ("used_cpu_user", "used_cpu_sys")
    served = sum(after[name] - server[name] for name in names)
    return {
        "jobs/s": jobs / seconds,
        "worker CPU µs": cpu / jobs * 1e6,
        "Redis CPU µs": served / jobs * 1e6,
    }


def measure(name: str, url: str, options: argparse.Namespace) -> Quantities:
    """One worker, in a process of its own, on the server at this address."""
    command = [sys.executable, "-m", "benchmarks.jobs", "--work", name, "--redis", url]
    command += ["--jobs", str(options.jobs), "--concurrency", str(options.concurrency)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: Quantities = json.loads(done.stdout)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=10)
    parser.add_argument("--work", choices=list(WORKERS), help=argparse.SUPPRESS)
    parser.add_argument("--redis", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work = WORKERS[options.work](options.redis, options.jobs, options.concurrency)
        print(json.dumps(uvloop.run(work)))
        return
    report = Report("jobs", "Jobs a worker does, against bare SAQ")
    with running_valkey() as valkey:
        contenders = {name: partial(measure, name, valkey.url, options) for name in WORKERS}
        rounds = measure_in_turns(contenders, options.rounds)
    theirs, ours = WORKERS
    title = f"{options.jobs} jobs queued before, {options.concurrency} at once"
    report.add_rounds(title, rounds, ratio_to=theirs, of="jobs/s")
    ratio = rounds.ratio(ours, theirs, "jobs/s").median
    report.add_target("Jobs a second, times bare SAQ", ratio, at_least=0.8)
    report.finish()


if __name__ == "__main__":
    main()
