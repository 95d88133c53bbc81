"""This machine: room on its disks, and how many files a process may open."""

import os
import resource
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from myapp.config import Settings
from myapp.database.url import parse_target
from myapp.doctor.findings import Finding, failed, ok, warning
from myapp.doctor.running import in_daemon_thread
from myapp.storage import local_root

GIGABYTE = 1e9
LOW_BYTES = 1 * GIGABYTE
FULL_BYTES = 0.1 * GIGABYTE  # SQLite, the append-only file and uploads fail soon
LOW_FILES = 10_000  # inodes: each upload takes one
STREAMS = 10_000  # what one process is measured to hold
OTHER_FILES = 500  # the program's own, requests, connections to database and Redis


async def look_at_disks(settings: Settings) -> Sequence[Finding]:
    """Each disk that the program writes to, once."""
    return await in_daemon_thread(partial(judge_disks, list(folders_of(settings))))


def folders_of(settings: Settings) -> Iterator[Path]:
    """Where data lies on this machine; none where all of it is elsewhere."""
    target = parse_target(settings)
    if target.dialect == "sqlite":
        yield Path(target.credentials["file_path"]).parent
    if settings.redis_url is None:
        yield settings.data_dir
    if not (settings.storage_url or "").startswith("s3:"):
        yield local_root(settings)


def judge_disks(folders: Sequence[Path]) -> list[Finding]:
    disks = {place.stat().st_dev: place for place in map(existing_part, folders)}
    if not disks:
        return [ok("disk", "Nothing is kept on this machine's disks")]
    return [judge_disk(place) for place in disks.values()]


def existing_part(folder: Path) -> Path:
    """The folder itself, or what it would be made in."""
    whole = folder.absolute()
    return next(place for place in (whole, *whole.parents) if place.exists())


def judge_disk(place: Path) -> Finding:
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    message = f"{free / GIGABYTE:.1f} GB are free at {place}"
    advice = "Make room, or move the data to a larger disk"
    if not os.access(place, os.W_OK):
        return failed("disk", f"{place} cannot be written", "Let the program's user write there")
    if free < FULL_BYTES:
        return failed("disk", message, advice)
    if free < LOW_BYTES:
        return warning("disk", message, advice)
    if status.f_files and status.f_favail < LOW_FILES:
        return warning("disk", f"{message}, for {status.f_favail} files at most", advice)
    return ok("disk", message)


async def look_at_file_limit() -> Sequence[Finding]:
    """An open stream is an open file."""
    return [judge_file_limit(*resource.getrlimit(resource.RLIMIT_NOFILE))]


def judge_file_limit(soft: int, hard: int) -> Finding:
    name, needed = "files", STREAMS + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        shown = "without limit" if soft == resource.RLIM_INFINITY else f"{soft:,}"
        return ok(
            name, f"A process started here may open {shown} files: enough for {STREAMS:,} streams"
        )
    streams = max(0, soft - OTHER_FILES)
    message = f"A process started here may open {soft:,} files: some {streams:,} streams"
    enough = hard == resource.RLIM_INFINITY or hard >= needed
    advice = (
        f"For {STREAMS:,} streams in a process let it open {needed:,}: ulimit -n {needed}"
        + ("" if enough else f" (past the hard limit of {hard:,})")
        + f", LimitNOFILE={needed} in systemd, --ulimit nofile={needed} in Docker"
    )
    return warning(name, message, advice)
