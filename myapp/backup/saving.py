"""Making a backup."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from myapp.backup.archive import already_there, new_file, write_archive
from myapp.backup.layout import DATABASE, QUEUE, SCRATCH
from myapp.backup.progress import Progress
from myapp.backup.scratch import scratch_folder
from myapp.backup.snapshot import take_snapshot
from myapp.backup.work import run_to_end
from myapp.config import Settings
from myapp.data_folder import refuse_half_restored
from myapp.embedded import embedded_server
from myapp.errors import NotFound, Unavailable

BUSY = "Another backup of this folder is under way"


@dataclass(frozen=True, slots=True)
class Written:
    """A backup that is whole."""

    members: int
    size: int


async def save(settings: Settings, target: Path, progress: Progress) -> Written:
    """Writes the data folder into a new file, also while programs use it.

    Raises Conflict for a file that exists and while another backup is under way, NotFound where
    there is nothing to back up, ConfigError where a restore has not ended, and Unavailable. A
    cancellation leaves nothing.
    """
    check_before(settings, target)
    async with queue_of(settings) as queue_url:
        return await run_to_end(partial(save_parts, settings, target, queue_url), progress)


def check_before(settings: Settings, target: Path) -> None:
    """What can be known before anything is started. Raises what `save` does."""
    refuse_half_restored(settings.data_dir)
    try:
        taken, has_folder = target.exists() or target.is_symlink(), target.parent.is_dir()
    except OSError as error:
        raise Unavailable(f"{error.strerror}: {target}") from None
    if taken:
        raise already_there(target)
    if not has_folder:
        raise NotFound(f"There is no folder {target.parent}")
    if not (settings.data_dir / DATABASE).exists():
        raise NotFound(f"There is no data in {settings.data_dir}")


@asynccontextmanager
async def queue_of(settings: Settings) -> AsyncIterator[str | None]:
    """The embedded server, joined or started; None where it has never run here."""
    if settings.redis_url is not None or not (settings.data_dir / QUEUE).is_dir():
        yield None
        return
    async with embedded_server(settings.data_dir) as url:
        yield url


def save_parts(
    settings: Settings, target: Path, queue_url: str | None, progress: Progress
) -> Written:
    """Blocks. The parts lie beside the data first, with room for a copy of database and queue."""
    home = settings.data_dir.resolve()
    with scratch_folder(home / SCRATCH, busy=BUSY) as folder, new_file(target) as file:
        take_snapshot(
            home,
            folder,
            queue_url=queue_url,
            files=settings.storage_url is None,
            progress=progress,
        )
        return Written(write_archive(file, folder, progress), file.tell())
