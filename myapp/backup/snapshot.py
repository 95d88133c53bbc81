"""Everything of a data folder as it was in one moment: see the package."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from myapp.backup.database import DatabaseMoment
from myapp.backup.layout import DATABASE, FILES, KEYS, QUEUE
from myapp.backup.objects import ObjectLinks
from myapp.backup.progress import Progress
from myapp.backup.queue import QueueMoment
from myapp.errors import Unavailable

TRIES = 100  # each time the server began to rewrite its file just before the moment


def take_snapshot(
    data_dir: Path, folder: Path, *, queue_url: str | None, files: bool, progress: Progress
) -> None:
    """Puts all parts below `folder`, on the file system of `data_dir`. Blocks.

    Without a `queue_url`, and unless `files`, these parts lie elsewhere. Raises Unavailable.
    """
    links = ObjectLinks(data_dir / FILES, folder / FILES) if files else None
    if links:
        links.add_missing()
    with DatabaseMoment(data_dir / DATABASE) as database:
        if queue_url is None:
            hold_still(database, links, fork=lambda: True)
            database.copy_to(folder / DATABASE, progress)
        else:
            with closing(QueueMoment(queue_url, data_dir / QUEUE)) as queue:
                hold_still(database, links, wait=queue.wait, fork=queue.begin)
                database.copy_to(folder / DATABASE, progress)
                queue.finish(folder / QUEUE, progress)
    copy_keys(data_dir, folder)


def hold_still(
    database: DatabaseMoment,
    links: ObjectLinks | None,
    *,
    fork: Callable[[], bool],
    wait: Callable[[], None] = lambda: None,
) -> None:
    """The one moment. Waiting for the server comes before it, for writers wait meanwhile."""
    for _ in range(TRIES):
        wait()
        with database.writers_waiting():
            if links:
                links.add_missing()
            if fork():
                database.begin()
                return
    raise Unavailable("The embedded server is busy with its own files: try again later")


def copy_keys(data_dir: Path, folder: Path) -> None:
    """They are made once and never change."""
    for name in KEYS:
        if (data_dir / name).exists():
            (folder / name).touch(mode=0o600)
            shutil.copyfile(data_dir / name, folder / name)
