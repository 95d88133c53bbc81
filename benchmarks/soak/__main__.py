"""The soak: a mixed load for a long time, and whether what the system takes levels off.

    python -m benchmarks.soak [--minutes 20] [--database postgres|mariadb|sqlite] [--report FOLDER]

Starts an api, two workers, two schedulers, a Redis and a database server. Samples memory, file
descriptors, keys in Redis, jobs that have not ended, and rows; what the load has made to stay
(notifications, say) is subtracted from the rows, and what Redis is to keep for a day from its keys
and its memory. Exit status 1 when something still grows in the second half, when rows are missing
or jobs are left undone, when a request failed, or when a process ended.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from redis.asyncio import Redis

from benchmarks.drill.accounting import settings_of
from benchmarks.drill.databases import CHOICES
from benchmarks.drill.fleet import Fleet
from benchmarks.drill.load import client_of
from benchmarks.report import RESULTS, Report
from benchmarks.soak.mix import Mix
from benchmarks.soak.samples import Samples
from myapp.database.connection import open_database
from myapp.identity.local import LocalProvider

SAMPLES = 120
SETTLE_SECONDS = 5.0
SHOWN = 5  # of what failed


async def main(options: argparse.Namespace) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="soak"))
    try:
        fleet = make_fleet(folder, options.database)
        try:
            await fleet.start()
            samples, mix = await soak(fleet, options.minutes * 60)
        finally:
            stops = await asyncio.to_thread(fleet.stop)
        return write_report(options, fleet, samples, mix, stops)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_fleet(folder: Path, database: str | None) -> Fleet:
    folder.chmod(0o755)  # PostgreSQL's own user passes through
    (folder / "data").mkdir()
    return Fleet(folder, folder / "data", database=database, storage="local")


async def soak(fleet: Fleet, seconds: float) -> tuple[Samples, Mix]:
    settings = settings_of(fleet)
    await fleet.run("token", "nobody@example.com")  # makes the key that signs them
    provider = LocalProvider(settings.identity_key_file.read_bytes())
    redis = Redis.from_url(fleet.redis_url, decode_responses=True)
    async with client_of(fleet) as client, redis, open_database(settings):
        mix, samples, stop = Mix(client, provider), Samples(fleet, redis), asyncio.Event()
        await asyncio.sleep(SETTLE_SECONDS)
        await mix.prepare(fleet)
        async with asyncio.TaskGroup() as group:
            group.create_task(mix.run(stop))
            await sample(samples, mix, seconds)
            stop.set()
        await samples.finish()
        return samples, mix


async def sample(samples: Samples, mix: Mix, seconds: float) -> None:
    began = time.monotonic()
    for number in range(1, SAMPLES + 1):
        await asyncio.sleep(began + seconds * number / SAMPLES - time.monotonic())
        await samples.take(time.monotonic() - began, rows_made=mix.rows)
        if number % (SAMPLES // 10) == 0:
            print(f"{number * 100 // SAMPLES} %, {sum(mix.done.values())} done", flush=True)


def write_report(
    options: argparse.Namespace, fleet: Fleet, samples: Samples, mix: Mix, stops: list[str]
) -> bool:
    """Whether all is well."""
    report = Report("soak", f"{options.minutes:g} minutes of mixed load on {fleet.database.name}")
    found = [*stops, *(f"{n} times {text}" for text, n in mix.failed.most_common(SHOWN))]
    if samples.unfinished:
        found.append(f"{samples.unfinished} jobs or rows of the outbox are left")
    rows: list[list[object]] = []
    for each in samples.series.values():
        middle, growth = each.values[len(each.values) // 2], each.growth
        verdict = "yes" if each.is_level else "**no**"
        rows.append([each.name, each.values[0], middle, each.values[-1], growth, each.allowed])
        rows[-1].append(verdict)
        found += [] if each.is_level else [f"{each.name} does not level off"]
    columns = ["", "at first", "in the middle", "at last", "growth since", "allowed", "level"]
    report.add_table("What the system takes", columns, rows)
    report.add_values(
        "series", {each.name: [each.times, each.values] for each in samples.series.values()}
    )
    report.add_values("done", dict(mix.done))
    report.add_target("faults found", len(found), at_most=0)
    report.add_note(f"Done: {dict(mix.done)}.")
    report.add_note(f"Kept in Redis for a day: {dict(samples.promised)}.")
    report.add_note("FAILED: " + "; ".join(found) if found else "All of it levels off.")
    report.finish(options.report)
    return not found


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--database", choices=CHOICES, help="the first that is there, if not given")
    parser.add_argument("--report", type=Path, default=RESULTS, help="the folder to write to")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(not asyncio.run(main(parse_options())))
