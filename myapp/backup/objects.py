"""Stored objects, held as they are by hard links: they take no room, and removing the other name
does not touch them. Storage never writes into an object, it puts another one in its place.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import structlog

from myapp.storage.local import FOLDER, OBJECT

NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS})

log = structlog.get_logger()


class ObjectLinks:
    """Links from the folder of local storage into another one on the same file system."""

    def __init__(self, root: Path, target: Path) -> None:
        self._root = root
        self._target = target
        self._known: set[str] = set()

    def add_missing(self) -> None:
        """Links whatever has come since the last time."""
        for name in names_below(self._root):
            if name in self._known:
                continue
            if OBJECT.fullmatch(name):
                self._add(name)
            else:
                self._known.add(name)
                log.warning("no stored object, and left out", path=str(self._root / name))

    def _add(self, name: str) -> None:
        target = self._target / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            hold(self._root / name, target)
        except FileNotFoundError:
            return  # removed meanwhile: no row points at it any more
        self._known.add(name)


def hold(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copy2(source, target)


def names_below(root: Path) -> Iterator[str]:
    """Every file's path below `root` in the folders of objects. Uploads under way have a folder of
    their own, and a file system may have one that nobody can read.
    """
    if not root.is_dir():
        return
    with os.scandir(root) as folders:
        names = sorted(entry.name for entry in folders if entry.is_dir(follow_symlinks=False))
    for folder in filter(FOLDER.fullmatch, names):
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    yield f"{folder}/{entry.name}"
