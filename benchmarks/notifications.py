"""`POST /notifications`, accepted durably, beside what the database can commit.

    python -m benchmarks.notifications [--database sqlite] [--rounds 5] [--seconds 3]
        [--connections 32]

Accepted means committed: the row in the inbox, the event's and the push's in the outbox, and the
answer under the request's `Idempotency-Key`, whose own row is a commit before. The limit is one
writer on the bare driver, with the same settings, that puts as many rows in as many commits into
the same database. `postgres` and `mysql` are the servers that the tests take, where
MYAPP_TEST_POSTGRES_URL and MYAPP_TEST_MYSQL_URL say.
"""

import argparse
import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import asyncmy
import asyncpg  # type: ignore[import-untyped]  # it ships no types
import httpx

from benchmarks.installation import Installation, cpu_seconds
from benchmarks.load import run_load
from benchmarks.measurement import Quantities, Rounds, measure_in_turns, percentile, show
from benchmarks.report import Report
from myapp.database.url import Dialect, Target, parse_url
from tests.support.databases import scratch_database
from tests.support.program import Program

USERS = 100
LIMIT = "one writer's commits"
OURS = "POST /notifications"
RATE = "notifications/s"
ROWS = (1, 4)  # of each commit: the key; inbox, event, push and the key's answer
CHARACTERS = 250  # of a row
WARM_UP_SECONDS = 1
LOOK_SECONDS = 0.05  # between two looks at the outbox
Execute = Callable[[str], Awaitable[Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--database", choices=get_args(Dialect), default="sqlite")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="myapp-", ignore_cleanup_errors=True) as folder:
        asyncio.run(compare(Path(folder), options))


async def compare(folder: Path, options: argparse.Namespace) -> None:
    report = Report(
        f"notifications-{options.database}", f"POST /notifications on {options.database}"
    )
    async with scratch_database(options.database, folder) as url:
        rounds = await asyncio.to_thread(measure, Installation(folder, DATABASE_URL=url), options)
    report.add_rounds("Accepted durably", rounds, ratio_to=LIMIT, of=RATE)
    ratio = rounds.ratio(OURS, LIMIT, RATE).median
    report.add_target(f"{RATE}, times {LIMIT}", ratio, at_least=0.8)
    cost = rounds.spread(OURS, "µs of CPU each").median
    report.add_note(
        f"A process has little more than one core: at {show(cost)} µs each it accepts about "
        f"{show(1e6 / cost)} a second, however fast the disk is."
    )
    report.finish()


def measure(installation: Installation, options: argparse.Namespace) -> Rounds:
    url = installation.env["DATABASE_URL"]
    installation.run("migrate")
    with installation.serving() as program:
        send = prepare(installation, program, options.connections)
        send(WARM_UP_SECONDS)
        asyncio.run(create_table(url))
        contenders = {
            LIMIT: lambda: asyncio.run(commit(url, options.seconds)),
            OURS: lambda: send(options.seconds),
        }
        return measure_in_turns(contenders, options.rounds)


def prepare(
    installation: Installation, program: Program, connections: int
) -> Callable[[int], Quantities]:
    """The users and a service's key; returns what sends for so many seconds."""
    bodies = []
    for token in installation.tokens(USERS):
        answer = httpx.get(f"{program.api}/auth/me", headers={"Authorization": f"Bearer {token}"})
        user = answer.raise_for_status().json()["data"]["id"]
        bodies.append(json.dumps({"user_id": user, "title": "New message", "body": "See you!"}))
    headers = {
        "X-API-Key": installation.key("notifications:send"),
        "Content-Type": "application/json",
    }

    def send(seconds: int) -> Quantities:
        before = cpu_seconds(program.process.pid)
        load = run_load(
            f"{program.api}/notifications",
            seconds=seconds,
            connections=connections,
            method="POST",
            headers=headers,
            unique="Idempotency-Key",
            bodies=bodies,
        )
        asyncio.run(wait_for_outbox(installation.env["DATABASE_URL"]))
        cost = (cpu_seconds(program.process.pid) - before) / load.requests * 1e6
        return {RATE: load.rate, "p50 ms": load.p50, "p99 ms": load.p99, "µs of CPU each": cost}

    return send


async def wait_for_outbox(url: str) -> None:
    """Until everything is handed on, so that the next measurement is not disturbed."""
    async with writer(url) as execute:
        while await execute("SELECT count(*) FROM outbox"):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(LOOK_SECONDS)


async def create_table(url: str) -> None:
    async with writer(url) as execute:
        await execute(f"CREATE TABLE limit_rows (text varchar({CHARACTERS}))")


async def commit(url: str, seconds: float) -> Quantities:
    """The limit; how long a pair of commits takes stands in the columns for that of a request."""
    statements = [
        "INSERT INTO limit_rows (text) VALUES " + ", ".join([f"('{'x' * CHARACTERS}')"] * rows)
        for rows in ROWS
    ]
    took: list[float] = []
    async with writer(url) as execute:
        began, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            for statement in statements:
                await execute(statement)
            took.append((time.perf_counter() - start) * 1000)
    return {
        RATE: len(took) / (time.perf_counter() - began),
        "p50 ms": percentile(took, 0.5),
        "p99 ms": percentile(took, 0.99),
        "µs of CPU each": (time.process_time() - cpu) / len(took) * 1e6,
    }


@asynccontextmanager
async def writer(url: str) -> AsyncIterator[Execute]:
    """A connection that commits each statement; gives the first value of the answer, if any."""
    target = parse_url(url)
    open_writer = {"sqlite": open_sqlite, "postgres": open_postgres, "mysql": open_mysql}
    async with open_writer[target.dialect](target) as execute:
        yield execute


@asynccontextmanager
async def open_sqlite(target: Target) -> AsyncIterator[Execute]:
    with closing(sqlite3.connect(target.credentials["file_path"], isolation_level=None)) as found:
        for name in ("busy_timeout", "synchronous"):
            found.execute(f"PRAGMA {name}={target.credentials[name]}")

        async def execute(statement: str) -> Any:
            row = found.execute(statement).fetchone()
            return row and row[0]

        yield execute


@asynccontextmanager
async def open_postgres(target: Target) -> AsyncIterator[Execute]:
    connection = await asyncpg.connect(**pick(target))
    try:
        yield connection.fetchval
    finally:
        await connection.close()


@asynccontextmanager
async def open_mysql(target: Target) -> AsyncIterator[Execute]:
    async with asyncmy.connect(**pick(target), autocommit=True) as connection:

        async def execute(statement: str) -> Any:
            async with connection.cursor() as cursor:
                await cursor.execute(statement)
                row = await cursor.fetchone()
                return row and row[0]

        yield execute


def pick(target: Target) -> dict[str, Any]:
    names = ("host", "port", "user", "password", "database")
    return {name: target.credentials[name] for name in names if target.credentials[name]}


if __name__ == "__main__":
    main()
