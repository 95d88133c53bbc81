"""Putting a backup in place, once all of it was checked and is on the disk.

As a rule the folder is made beside its place and renamed: one step. A mount point, or a folder in
one that is not ours to write (a container's volume, a service's state), cannot be renamed over.
Then it is made inside, and its parts are moved one by one; until the last one is there
`.restoring` stays, with which no program starts and after which a restore begins anew.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from myapp.backup.archive import Header
from myapp.backup.database import check_database, connect
from myapp.backup.extraction import extract, sync_tree
from myapp.backup.layout import DATABASE, PARTS, QUEUE
from myapp.backup.progress import Progress
from myapp.backup.scratch import scratch_folder
from myapp.backup.work import run_to_end
from myapp.config import Settings
from myapp.data_folder import RESTORING
from myapp.embedded.watcher import USERS_LOCK, open_lock, try_lock
from myapp.errors import Conflict, NotFound
from myapp.storage.disk import sync_folder

BUSY = "Another restore of this folder is under way"
NOTHING = (RESTORING, "lost+found")
FILLED = frozenset({errno.ENOTEMPTY, errno.EEXIST})  # rename(2) onto a folder that holds something


async def restore(settings: Settings, archive: Path, progress: Progress) -> Header:
    """Makes the data folder from an archive. It is absent or empty before, and whole after.

    Raises Invalid for an archive that is not whole, Conflict for a folder that holds something
    or is in use, NotFound and Unavailable.
    """
    return await run_to_end(partial(restore_parts, settings.data_dir, archive), progress)


def restore_parts(data_dir: Path, archive: Path, progress: Progress) -> Header:
    """Blocks."""
    if not archive.is_file():
        raise NotFound(f"There is no file {archive}")
    home = data_dir.resolve()
    check_target(home)
    home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    cut_off = (home / RESTORING).exists()
    beside = not cut_off and not home.is_mount() and os.access(home.parent, os.W_OK)
    place = home.with_name(f".{home.name}{RESTORING}") if beside else home / RESTORING
    with scratch_folder(place, busy=BUSY) as scratch:
        if cut_off:
            remove_parts(home, PARTS)
        refuse_filled(home)  # from here on no program starts there, if it is inside
        folder = scratch / home.name
        folder.mkdir(mode=0o700)
        header = extract(archive, folder, progress)
        with closing(connect(folder / DATABASE)) as copy:
            check_database(copy)
        sync_tree(folder)
        rename(folder, home) if beside else move_parts(folder, home)
    sync_folder(home.parent if beside else home)
    return header


def check_target(home: Path) -> None:
    """Refuses whatever could be lost. With the mark of a restore, its parts are nobody's else."""
    if home.exists() and not home.is_dir():
        raise Conflict(f"DATA_DIR: {home} is no folder")
    if is_in_use(home):
        raise Conflict(f"DATA_DIR: {home} is in use by a running program")
    refuse_filled(home, but=PARTS if (home / RESTORING).exists() else ())


def refuse_filled(home: Path, *, but: Sequence[str] = ()) -> None:
    names = {entry.name for entry in home.iterdir()} if home.is_dir() else set()
    if names.difference(NOTHING, but):
        raise not_empty(home)


def is_in_use(home: Path) -> bool:
    path = home / QUEUE / USERS_LOCK
    if not path.exists():
        return False
    lock = open_lock(path)
    try:
        return not try_lock(lock)
    finally:
        os.close(lock)


def rename(folder: Path, home: Path) -> None:
    try:
        folder.rename(home)
    except OSError as error:
        if error.errno in FILLED:
            raise not_empty(home) from None
        raise


def move_parts(folder: Path, home: Path) -> None:
    moved: list[str] = []
    try:
        for name in PARTS:
            if (folder / name).exists():
                (folder / name).rename(home / name)
                moved.append(name)
        sync_folder(home)
    except BaseException:
        remove_parts(home, moved)
        raise


def remove_parts(home: Path, names: Sequence[str]) -> None:
    for path in (home / name for name in names):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def not_empty(home: Path) -> Conflict:
    return Conflict(f"DATA_DIR: {home} is not empty: a restore replaces nothing")
