"""Reading an archive: everything is checked before anything of it is used."""

import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from myapp.backup import queue
from myapp.backup.archive import FORMAT, HEADER, MANIFEST, Digest, Entry, Header, Manifest
from myapp.backup.layout import DATABASE, FILES, KEYS, QUEUE
from myapp.backup.progress import Progress
from myapp.backup.scratch import make_parents
from myapp.errors import Invalid
from myapp.storage.disk import create_file, write_whole

BLOCK_BYTES = 1024 * 1024
PART = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
# Nothing else is ever written, so nothing else is ever taken: no path leads out of the folder.
NAMES = re.compile(
    rf"{re.escape(DATABASE)}|{'|'.join(map(re.escape, KEYS))}|{FILES}(/{PART}){{2}}"
    rf"|{QUEUE}/{queue.FOLDER}/({re.escape(queue.BASE)}|{re.escape(queue.MANIFEST)})"
)
REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)

Model = TypeVar("Model", bound=BaseModel)


def extract(archive: Path, folder: Path, progress: Progress) -> Header:
    """Writes the members below `folder`, which is new, and returns what the archive is.

    Raises Invalid for an archive that is damaged, cut short, of another format or not ours, and
    OSError. The folder is of no use then.
    """
    progress.begin("archive", archive.stat().st_size)
    with faults_named(archive), tarfile.open(archive, mode="r:") as tar:
        header = read_header(tar, progress)
        entries: dict[str, Entry] = {HEADER: header[1]}
        while (member := tar.next()) is not None and member.name != MANIFEST:
            check_member(member, known=entries)
            entries[member.name] = write_member(tar, member, folder, progress)
        if member is None:
            raise Invalid("it ends before its manifest")
        content, _ = read_whole(tar, member, progress)
        compare(parse(Manifest, content).members, entries)
        if tar.next() is not None:
            raise Invalid("something follows its manifest")
    return header[0]


@contextmanager
def faults_named(archive: Path) -> Iterator[None]:
    try:
        yield
    except Invalid as error:
        raise Invalid(f"{archive} is no whole backup of myapp: {error.text}") from None
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise Invalid(f"{archive} is no whole backup of myapp: {error}") from None


def read_header(tar: tarfile.TarFile, progress: Progress) -> tuple[Header, Entry]:
    member = tar.next()
    if member is None or member.name != HEADER or member.type not in REGULAR:
        raise Invalid(f"it does not begin with {HEADER}")
    content, entry = read_whole(tar, member, progress)
    header = parse(Header, content)
    if header.format != FORMAT:
        raise Invalid(
            f"its format is {header.format}, written by myapp {header.version}, and this release"
            f" knows {FORMAT}"
        )
    return header, entry


def check_member(member: tarfile.TarInfo, *, known: dict[str, Entry]) -> None:
    shown = ascii(member.name[:200])
    if member.type not in REGULAR or member.issparse():
        raise Invalid(f"{shown} is no regular file")
    if not NAMES.fullmatch(member.name):
        raise Invalid(f"{shown} is not part of a backup")
    if member.name in known:
        raise Invalid(f"{shown} comes twice")


def write_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, progress: Progress
) -> Entry:
    path = folder / member.name
    make_parents(path, below=folder)
    digest = open_member(tar, member, progress)
    with create_file(path) as file:
        while block := digest.read(BLOCK_BYTES):
            write_whole(file, block)
    return digest.entry


def read_whole(
    tar: tarfile.TarFile, member: tarfile.TarInfo, progress: Progress
) -> tuple[bytes, Entry]:
    digest = open_member(tar, member, progress)
    return digest.read(), digest.entry


def open_member(tar: tarfile.TarFile, member: tarfile.TarInfo, progress: Progress) -> Digest:
    file = tar.extractfile(member)
    if file is None:
        raise Invalid(f"{member.name!a} is no regular file")
    return Digest(file, progress)  # type: ignore[arg-type]  # it reads as a binary file does


def parse(model: type[Model], content: bytes) -> Model:
    try:
        return model.model_validate_json(content)
    except ValidationError:
        raise Invalid(f"its {model.__name__.lower()} cannot be read") from None


def compare(expected: dict[str, Entry], found: dict[str, Entry]) -> None:
    if missing := sorted(expected.keys() - found.keys()):
        raise Invalid(f"{missing[0]} is missing")
    if strange := sorted(found.keys() - expected.keys()):
        raise Invalid(f"{strange[0]} is not in its manifest")
    for name, entry in found.items():
        if entry != expected[name]:
            raise Invalid(f"{name} is damaged: its SHA-256 is not that of its manifest")
    if DATABASE not in found:
        raise Invalid(f"{DATABASE} is missing")


def sync_tree(folder: Path) -> None:
    """Brings every file below, and every name, to the disk."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
