"""A folder for one process's work, which a killed one leaves and the next one clears."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from myapp.embedded.watcher import try_lock
from myapp.errors import Conflict


@contextmanager
def scratch_folder(path: Path, *, busy: str) -> Iterator[Path]:
    """The folder at `path`, empty and its owner's alone; it is gone afterwards.

    The kernel gives a killed process's lock back. Raises Conflict, with `busy`, while another
    process works there, and OSError.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if not try_lock(lock) or not is_still(path, lock):
            raise Conflict(busy)
        path.chmod(0o700)
        clear(path)
        try:
            yield path
        finally:
            clear(path)
            path.rmdir()
    finally:
        os.close(lock)


def make_parents(path: Path, *, below: Path) -> None:
    """The folders that a file lies in, each its owner's alone: `parents=True` opens all but one."""
    for folder in reversed(path.relative_to(below).parents):
        (below / folder).mkdir(mode=0o700, exist_ok=True)


def is_still(path: Path, descriptor: int) -> bool:
    """Whether the path leads to what was opened: who had the lock before may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
