"""The archive: a plain tar of regular files.

`backup.json` comes first and says what this is; `manifest.json` comes last, with the size and the
SHA-256 of every other member, so that an archive that was cut short has none. The checksums find
damage. They do not prove who wrote the archive: whoever can replace it can replace them too.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel

from myapp import __version__
from myapp.backup.progress import Progress
from myapp.errors import Conflict
from myapp.storage.disk import sync_folder

FORMAT = 1
HEADER = "backup.json"
MANIFEST = "manifest.json"


class Header(BaseModel):
    """What the archive is. `version` is that of the program that wrote it."""

    program: Literal["myapp"] = "myapp"
    format: int = FORMAT
    version: str = __version__
    created_at: AwareDatetime


class Entry(BaseModel):
    """What a member has to be."""

    size: int
    sha256: str


class Manifest(BaseModel):
    """Every member but the manifest itself, by its name."""

    members: dict[str, Entry]


class Digest:
    """A file that is read to its end, and its SHA-256."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._sha256 = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._sha256.update(block)
        self.size += len(block)
        self._progress.advance(len(block))
        return block

    @property
    def entry(self) -> Entry:
        return Entry(size=self.size, sha256=self._sha256.hexdigest())


def write_archive(output: BinaryIO, folder: Path, progress: Progress) -> int:
    """Writes every file below `folder`; returns how many members there are."""
    names = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    header = Header(created_at=datetime.now(UTC)).model_dump_json(indent=2).encode()
    size = sum((folder / name).stat().st_size for name in names)
    progress.begin("archive", len(header) + size)
    entries: dict[str, Entry] = {}
    with tarfile.open(fileobj=output, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        entries[HEADER] = add(tar, HEADER, io.BytesIO(header), len(header), progress)
        for name in names:
            with (folder / name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                entries[name] = add(tar, name, file, size, progress)
        manifest = Manifest(members=entries).model_dump_json(indent=1).encode()
        progress.begin("manifest", len(manifest))
        add(tar, MANIFEST, io.BytesIO(manifest), len(manifest), progress)
    return len(entries)


def add(tar: tarfile.TarFile, name: str, file: BinaryIO, size: int, progress: Progress) -> Entry:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    member.mtime = int(datetime.now(UTC).timestamp())
    digest = Digest(file, progress)
    tar.addfile(member, digest)
    return digest.entry


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that only its owner may read, and that has its name once it is whole and on the disk.

    Raises Conflict if there is one of this name by then, and OSError. A killed process leaves
    one that begins with a dot and ends with `.part`.
    """
    draft = path.with_name(f".{path.name}.{uuid4().hex}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        give_name(draft, path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def give_name(draft: Path, path: Path) -> None:
    """By a link, which replaces nothing; a file system that knows none leaves a moment for that."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise already_there(path) from None
    except OSError:
        if path.exists():
            raise already_there(path) from None
        draft.rename(path)


def already_there(path: Path) -> Conflict:
    return Conflict(f"{path} exists: a backup replaces nothing")
