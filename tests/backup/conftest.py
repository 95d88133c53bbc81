"""Archives of a small data folder, made without a program."""

import io
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from myapp.backup.archive import new_file, write_archive
from myapp.backup.layout import DATABASE

Members = list[tuple[tarfile.TarInfo, bytes]]


class Quiet:
    """Progress that nobody watches."""

    def begin(self, what: str, size: int) -> None:
        pass

    def advance(self, size: int) -> None:
        pass


QUIET = Quiet()


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """What a snapshot leaves."""
    folder = tmp_path / "parts"
    (folder / "files" / "3f").mkdir(parents=True)
    (folder / "files" / "3f" / "files+ada+1").write_bytes(b"hello" * 1000)
    (folder / "secret.key").write_text("x" * 43)
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute("CREATE TABLE users (id TEXT)")
    connection.commit()
    connection.close()
    return folder


@pytest.fixture
def archive(parts: Path, tmp_path: Path) -> Path:
    path = tmp_path / "backup.tar"
    with new_file(path) as file:
        write_archive(file, parts, QUIET)
    return path


@pytest.fixture
def rewrite(archive: Path) -> Callable[[Callable[[Members], Members]], Path]:
    """Writes the archive anew, with other members."""

    def change(edit: Callable[[Members], Members]) -> Path:
        with tarfile.open(archive) as tar:
            members = [(member, read(tar, member)) for member in tar.getmembers()]
        with tarfile.open(archive, "w") as tar:
            for member, content in edit(members):
                tar.addfile(member, io.BytesIO(content) if member.isreg() else None)
        return archive

    return change


def read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file
    return file.read()
