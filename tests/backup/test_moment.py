"""The one moment: the database, objects and queue of a folder while others write."""

import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from structlog.testing import capture_logs

from myapp.backup.database import DatabaseMoment
from myapp.backup.extraction import NAMES
from myapp.backup.objects import ObjectLinks
from myapp.backup.queue import QueueMoment
from myapp.backup.scratch import scratch_folder
from myapp.backup.snapshot import hold_still
from myapp.backup.work import run_to_end
from myapp.errors import Conflict, Unavailable
from myapp.storage.local import LocalStorage
from myapp.storage.signing import UrlSigner
from tests.backup.conftest import QUIET
from tests.support.valkey import Valkey, running_valkey


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE rows (text TEXT)")
        connection.commit()
    return path


def insert(path: Path, count: int = 1) -> None:
    with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
        connection.executemany("INSERT INTO rows VALUES (?)", [("x" * 1000,)] * count)


def count_rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute("SELECT count(*) FROM rows").fetchone()[0]
        return found


class TestDatabase:
    def test_the_copy_is_of_the_moment_and_one_file(self, path: Path, tmp_path: Path) -> None:
        insert(path, 5000)
        with DatabaseMoment(path) as moment:
            with moment.writers_waiting():
                moment.begin()
            insert(path, 5000)
            moment.copy_to(tmp_path / "copy.db", QUIET)
        assert (count_rows(tmp_path / "copy.db"), count_rows(path)) == (5000, 10_000)
        assert [each.name for each in tmp_path.glob("copy*")] == ["copy.db"]
        assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0

    def test_writers_wait_and_go_on(self, path: Path) -> None:
        writer = threading.Thread(target=insert, args=(path,))
        with DatabaseMoment(path) as moment:
            with moment.writers_waiting():
                writer.start()
                writer.join(0.3)
                assert count_rows(path) == 0
            writer.join(30)
        assert count_rows(path) == 1

    def test_a_damaged_one_is_not_copied(self, path: Path, tmp_path: Path) -> None:
        insert(path, 100)
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096)
        with pytest.raises(Unavailable), DatabaseMoment(path) as moment:
            moment.begin()
            moment.copy_to(tmp_path / "copy.db", QUIET)


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


def files_below(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "parts").rglob("*") if path.is_file()]


class TestObjects:
    def test_what_is_removed_later_stays_and_what_comes_is_added(self, tmp_path: Path) -> None:
        root = tmp_path / "files"
        for folder in ("00", "incoming"):
            (root / folder).mkdir(parents=True)
        (root / "00" / "old").write_text("old")
        (root / "incoming" / "half").write_text("ha")
        links = ObjectLinks(root, tmp_path / "links")
        links.add_missing()
        (root / "00" / "old").unlink()
        (root / "00" / "new").write_text("new")
        links.add_missing()
        found = {each.name: each.read_text() for each in (tmp_path / "links").rglob("*/*")}
        assert found == {"old": "old", "new": "new"}

    async def test_whatever_storage_takes_goes_into_an_archive(self, tmp_path: Path) -> None:
        storage = LocalStorage(tmp_path / "files", UrlSigner(b"a signing key of thirty-two bytes"))
        storage.make_root()
        keys = ["a", "0", "files/0197-a_b.c/1", "z" * 200]
        for key in keys:
            await storage.put(key, chunks(b"content"), content_type="text/plain")
        ObjectLinks(tmp_path / "files", tmp_path / "parts" / "files").add_missing()
        found = [each.relative_to(tmp_path / "parts").as_posix() for each in files_below(tmp_path)]
        assert len(found) == len(keys)
        assert all(NAMES.fullmatch(name) for name in found)

    def test_what_others_put_beside_them_is_named_and_left_out(self, tmp_path: Path) -> None:
        root = tmp_path / "files"
        for name in ("3f/ours+1", "3f/.DS_Store", "3f/.ours+1.x8Kd2a", "3f/a b", "lost+found/x"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
        links = ObjectLinks(root, tmp_path / "parts" / "files")
        with capture_logs() as logs:
            links.add_missing()
            links.add_missing()
        assert [path.name for path in files_below(tmp_path)] == ["ours+1"]
        assert sorted(Path(each["path"]).name for each in logs) == [
            ".DS_Store",
            ".ours+1.x8Kd2a",
            "a b",
        ]


class TestHoldStill:
    def test_tries_again_where_the_server_could_not_fork(self, path: Path) -> None:
        answers: Iterator[bool] = iter([False, False, True])
        with DatabaseMoment(path) as moment:
            hold_still(moment, None, fork=lambda: next(answers))
            insert(path)  # nothing holds the lock any more
        assert next(answers, None) is None

    def test_gives_up_after_a_while(self, path: Path) -> None:
        with DatabaseMoment(path) as moment, pytest.raises(Unavailable):
            hold_still(moment, None, fork=lambda: False)


def test_a_server_that_is_away_is_no_backup(own_valkey: Valkey, tmp_path: Path) -> None:
    with closing(QueueMoment(own_valkey.url, Path(own_valkey.socket).parent)) as moment:
        own_valkey.kill()
        for ask in (moment.wait, moment.begin):
            with pytest.raises(Unavailable):
                ask()


def test_a_server_that_does_not_answer_is_no_backup(own_valkey: Valkey) -> None:
    home = Path(own_valkey.socket).parent
    with closing(QueueMoment(own_valkey.url, home, command_seconds=0.1)) as moment:
        own_valkey.freeze()
        for ask in (moment.wait, moment.begin):
            with pytest.raises(Unavailable):
                ask()
        own_valkey.thaw()


def test_a_server_that_rewrites_its_file_is_waited_for() -> None:
    with running_valkey(durable=True) as server, Redis.from_url(server.url) as redis:
        for number in range(200):
            redis.set(f"key {number}", "x")
        redis.config_set("rdb-key-save-delay", 10_000_000)  # in microseconds: it does not end soon
        redis.bgrewriteaof()
        with closing(QueueMoment(server.url, Path(server.socket).parent)) as moment:
            assert not moment.begin()
            redis.config_set("appendonly", "no")  # the rewriting ends with it
            redis.config_set("rdb-key-save-delay", 0)
            moment.wait()
            assert moment.begin()
            moment.wait()


class TestScratchFolder:
    def test_is_one_processs_alone_and_clears_what_a_killed_one_left(self, tmp_path: Path) -> None:
        path = tmp_path / "scratch"
        (path / "left" / "over").mkdir(parents=True)
        with scratch_folder(path, busy="Busy") as folder:
            assert list(folder.iterdir()) == []
            with pytest.raises(Conflict, match="Busy"), scratch_folder(path, busy="Busy"):
                pass
            (folder / "mine").touch()
        assert not path.exists()

    def test_does_not_follow_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "kept").touch()
        (tmp_path / "scratch").symlink_to(tmp_path / "other")
        with (
            pytest.raises(OSError, match="scratch"),
            scratch_folder(tmp_path / "scratch", busy="Busy"),
        ):
            pass
        assert (tmp_path / "other" / "kept").exists()


async def test_a_full_disk_is_one_sentence() -> None:
    def work(_: object) -> None:
        raise OSError(28, "No space left on device", "/data/app.db")

    with pytest.raises(Unavailable, match=r"No space left on device: /data/app\.db"):
        await run_to_end(work, QUIET)
