"""A copy of the SQLite database as it was in one moment, while others go on writing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from myapp.backup.progress import Progress
from myapp.errors import Unavailable

WAIT_SECONDS = 30.0  # for the write lock, while others write
STEP_PAGES = 2048  # 8 MB


class DatabaseMoment:
    """Two connections: one to keep writers waiting, one that goes on seeing what there was then.

    To be used in one thread. Raises Unavailable when the lock cannot be had in time, and for
    whatever else SQLite complains of, such as a full disk.
    """

    def __init__(self, path: Path) -> None:
        self._gate = connect(path)
        self._reader = connect(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._reader.close()
        self._gate.close()
        if isinstance(error, sqlite3.Error):
            raise Unavailable(f"The database cannot be copied: {error}") from error

    @contextmanager
    def writers_waiting(self) -> Iterator[None]:
        """Nothing is committed in here, by any process."""
        try:
            self._gate.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Unavailable(f"The database is too busy: {error}") from error
        try:
            yield
        finally:
            self._gate.execute("ROLLBACK")

    def begin(self) -> None:
        """From now on the copy is of this moment."""
        self._reader.execute("BEGIN")
        self._reader.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def copy_to(self, target: Path, progress: Progress) -> None:
        """Writes the copy, one whole file without a log beside it, and checks it."""
        target.touch(mode=0o600)
        page, pages = self._read("page_size"), self._read("page_count")
        progress.begin("database", page * pages)
        left = pages

        def tell(_status: int, remaining: int, _total: int) -> None:
            nonlocal left
            progress.advance((left - remaining) * page)
            left = remaining

        with closing(connect(target)) as copy:
            self._reader.backup(copy, pages=STEP_PAGES, progress=tell)
            copy.execute("PRAGMA journal_mode=DELETE")
            check_database(copy)

    def _read(self, pragma: str) -> int:
        return int(self._reader.execute(f"PRAGMA {pragma}").fetchone()[0])


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)


def check_database(connection: sqlite3.Connection) -> None:
    """Raises Unavailable for a database that is damaged."""
    try:
        (word,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        word = str(error)
    if word != "ok":
        raise Unavailable(f"The database is damaged: {word}")
