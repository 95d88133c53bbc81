"""`myapp backup` and `myapp restore`, and what they refuse."""

import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from myapp.data_folder import RESTORING
from tests.cli.conftest import MyApp
from tests.support.program import environment

START_SECONDS = 60.0
LARGE = 30_000_000


def kill_once(folder: Path, pattern: str, *arguments: str, env: dict[str, str]) -> None:
    """Runs a command and kills it as soon as something of this name is there, or it has ended."""
    command = [sys.executable, "-m", "myapp", *arguments]
    with subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and not any(folder.glob(pattern)):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)


def put_object(folder: Path) -> None:
    """An object without a row, as large as a disk needs a moment for."""
    (folder / "files" / "00").mkdir(parents=True, exist_ok=True)
    (folder / "files" / "00" / "large").write_bytes(bytes(LARGE))


def test_backs_up_and_restores(myapp: MyApp, folder: Path, tmp_path: Path) -> None:
    myapp("admin", "grant", "ada@example.com")
    done = myapp("backup", "b.tar")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        *("database", "queue", "archive", "manifest", "b.tar"),
    ]
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    assert not (folder / ".backup").exists()
    back = tmp_path / "below" / "back"
    assert myapp("restore", "b.tar", DATA_DIR=str(back)).returncode == 0
    assert "ada@example.com" in myapp("admin", "list", DATA_DIR=str(back)).stdout
    open_ones = [path for path in back.rglob("*") if path.lstat().st_mode & 0o077]
    assert [path for path in open_ones if not path.is_symlink()] == []


FULL_DISK = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
sys.argv[0] = "myapp"
runpy.run_module("myapp", run_name="__main__")
"""


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    myapp: MyApp, folder: Path, tmp_path: Path
) -> None:
    assert myapp("migrate").returncode == 0
    with closing(sqlite3.connect(folder / "app.db")) as database:
        database.execute("CREATE TABLE much AS SELECT zeroblob(2000000)")
        database.commit()
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "backup", "b.tar"],
        check=False,
        env=environment(folder),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "The database cannot be copied" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if "tar" in path.name] == []
    assert not (folder / ".backup").exists()


@pytest.mark.parametrize("command", ["migrate", "token ada@example.com", "doctor"])
def test_nothing_is_put_beside_half_a_restore(myapp: MyApp, folder: Path, command: str) -> None:
    (folder / RESTORING).mkdir(parents=True)
    done = myapp(*command.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "run it again" in done.stderr
    assert [path.name for path in folder.iterdir()] == [RESTORING]


def test_what_is_refused_or_lies_elsewhere_is_one_line(myapp: MyApp, tmp_path: Path) -> None:
    myapp("migrate")
    done = myapp("backup", "b.tar", DATABASE_URL=f"sqlite://{tmp_path}/a.db")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "DATABASE_URL" in done.stderr
    done = myapp("backup", "b.tar", STORAGE_URL=f"file://{tmp_path}/files")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "STORAGE_URL" in done.stderr
    done = myapp("backup", "b" * 300)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


@pytest.mark.timeout(240)  # several commands each, on a machine that may be busy
class TestKill:
    """Wherever it strikes: there is no half of anything, and the next one works."""

    @pytest.mark.parametrize("pattern", ["data/.backup/app.db", ".b.tar.*.part"])
    def test_of_a_backup(self, myapp: MyApp, folder: Path, tmp_path: Path, pattern: str) -> None:
        myapp("migrate")
        put_object(folder)
        kill_once(tmp_path, pattern, "backup", "b.tar", env=environment(folder))
        if not (tmp_path / "b.tar").exists():
            assert myapp("backup", "b.tar").returncode == 0
        assert not (folder / ".backup").exists() or pattern.startswith(".b")
        done = myapp("restore", "b.tar", DATA_DIR=str(tmp_path / "new"))
        assert done.returncode == 0, done.stderr

    def test_of_a_restore(self, myapp: MyApp, folder: Path, tmp_path: Path) -> None:
        myapp("migrate")
        put_object(folder)
        assert myapp("backup", "b.tar").returncode == 0
        new = tmp_path / "new"
        kill_once(tmp_path, ".new.restoring/new/files", "restore", "b.tar", env=environment(new))
        if not new.exists():
            assert myapp("restore", "b.tar", DATA_DIR=str(new)).returncode == 0
            assert not (tmp_path / ".new.restoring").exists()
        assert (new / "files" / "00" / "large").stat().st_size == LARGE
