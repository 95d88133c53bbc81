"""Blocking work on a disk, as steps in threads, and the few things that make it last."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from io import FileIO
from pathlib import Path
from typing import TypeVar

import structlog

from myapp.errors import Unavailable
from myapp.until import finish

FOLDER_MODE = 0o700
FILE_MODE = 0o600

Result = TypeVar("Result")

log = structlog.get_logger()


async def run_step(step: Callable[[], Result]) -> Result:
    """Runs one short blocking step in a thread, to its end. An OSError becomes Unavailable.

    A thread cannot be stopped. When the caller is cancelled this first waits for the step, so
    that what comes after (closing the file, removing it) never works against it.
    """
    work = asyncio.get_running_loop().run_in_executor(None, copy_context().run, step)
    with storage_errors():
        return await finish(work)


@contextmanager
def storage_errors() -> Iterator[None]:
    """A full disk, a lost mount or missing rights: the caller can only come back later."""
    try:
        yield
    except OSError as error:
        log.warning("storage failed", reason=error.strerror, path=error.filename)
        raise Unavailable("Storage is out of reach or full") from error


def create_file(path: Path) -> FileIO:
    """A new file that only we may read, open for writing without a buffer."""
    return FileIO(path, "xb", opener=lambda name, flags: os.open(name, flags, FILE_MODE))


def write_whole(file: FileIO, data: bytes) -> None:
    """Writes all of `data`: one write may take less, when a disk fills up for instance."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def make_folder(folder: Path) -> None:
    """Makes a folder that only we may enter, unless it exists; its parent has to exist."""
    try:
        folder.mkdir(mode=FOLDER_MODE)
    except FileExistsError:
        return
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Makes what was created, renamed or removed in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
