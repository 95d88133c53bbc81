"""The drill: each part of the whole system fails under load, and nothing accepted is lost.

    python -m benchmarks.drill [--seconds 150] [--seed N] [--database postgres|mariadb|sqlite]
                               [--storage s3|local] [--report FOLDER] [--keep]

Starts an api, two workers, two schedulers, a Redis, a database server and an S3 server of its own.
Kills each (SIGKILL) and starts it again, pauses it (SIGSTOP), stops a worker (SIGTERM), fills the
disk, and then does things to two at once, while people sign in, get notifications and events, keep
files and order work that takes seconds, and a cron ticks. In the end all that was accepted has to
be there and done, and each tick that was due has to have fired, once. Exit status 1 if not. It all
ends within about four minutes.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from benchmarks.drill.accounting import Findings, settings_of, take_stock
from benchmarks.drill.databases import CHOICES
from benchmarks.drill.faults import Suffered, inject_all, plan, small_disk
from benchmarks.drill.feature import TABLES
from benchmarks.drill.fleet import Fleet
from benchmarks.drill.ledger import Ledger
from benchmarks.drill.listening import listening
from benchmarks.drill.load import Load, client_of
from benchmarks.drill.report import write_report
from benchmarks.drill.ticks import first_tick
from benchmarks.report import RESULTS
from myapp.database.connection import open_database

PREPARE_SECONDS = 60.0
PROGRAM = "benchmarks.drill.program"


async def main(options: argparse.Namespace) -> bool:
    end_on_sigterm()
    folder, data = make_folders()
    try:
        with small_disk(data) as is_small:
            return await drill(folder, data, options, with_disk=is_small)
    finally:
        if options.keep:
            print(f"The logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def drill(folder: Path, data: Path, options: argparse.Namespace, *, with_disk: bool) -> bool:
    dice, ledger = random.Random(options.seed), Ledger()
    fleet = Fleet(folder, data, database=options.database, storage=options.storage, program=PROGRAM)
    print(f"seed {options.seed}, {fleet.database.name}, storage {options.storage}, in {folder}")
    stops: Sequence[str] = ()
    try:
        await fleet.start_servers()
        async with open_database(settings_of(fleet)) as database:
            await database.client.execute_script("; ".join(TABLES))
        fleet.start_ours()
        async with fleet.keep_up():
            suffered, findings = await fire(
                fleet, ledger, dice, options.seconds, with_disk=with_disk
            )
    finally:
        stops = await asyncio.to_thread(fleet.stop)
    notes = [] if with_disk else ["The disk was not filled: this user may mount none."]
    return write_report(
        options.report, fleet, ledger, findings, suffered, stops, notes, seed=options.seed
    )


async def fire(
    fleet: Fleet, ledger: Ledger, dice: random.Random, seconds: float, *, with_disk: bool
) -> tuple[list[Suffered], Findings]:
    """Load and faults together; then calm, until nothing is left to do."""
    async with client_of(fleet) as client:
        load = Load(client, ledger, random.Random(dice.random()))
        async with asyncio.timeout(PREPARE_SECONDS):
            await load.prepare(fleet, seconds)
            async with Redis.from_url(fleet.redis_url, decode_responses=True) as redis:
                ledger.first_tick = await first_tick(redis)
        async with listening(client, load.accounts, ledger):
            stop = asyncio.Event()
            faults = plan(fleet, dice, with_disk=with_disk)
            async with asyncio.TaskGroup() as group:
                group.create_task(load.run(stop))
                until = time.time() + seconds
                suffered = await inject_all(fleet, ledger, faults, dice, until=until)
                stop.set()
            return suffered, await take_stock(fleet, client, ledger, suffered)


def make_folders() -> tuple[Path, Path]:
    """One for the logs, and one in it for the data."""
    folder = Path(tempfile.mkdtemp(prefix="drill"))
    folder.chmod(0o755)  # PostgreSQL's own user passes through
    data = folder / "data"
    data.mkdir()
    return folder, data


def end_on_sigterm() -> None:
    """As an interrupt from the terminal does: everything that was started is ended."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=150.0, help="how long it sends")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--database", choices=CHOICES, help="the first that is there, if not given")
    parser.add_argument("--storage", choices=("s3", "local"), default="s3")
    parser.add_argument("--report", type=Path, default=RESULTS, help="the folder to write to")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(not asyncio.run(main(parse_options())))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("Ended before its time; nothing was counted.")
