"""What local storage keeps beside an object's bytes: in the same file, after them.

One file, renamed into place, is the only thing that a file system replaces in one step, so type
and checksum cannot part from the bytes. At the file's end they leave every offset as it is.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO

from myapp.storage.base import StoredObject

TRAILER_BYTES = 512  # the longest content type and a checksum, with room for more
FORMAT = "myapp-object-1"
ETAG_DIGITS = 32  # 128 bits tell any two contents apart


@dataclass(frozen=True, slots=True)
class Trailer:
    """`size` is of the bytes alone; `sha256` is in hexadecimal."""

    size: int
    content_type: str
    sha256: str


def encode(trailer: Trailer) -> bytes:
    """One line of JSON, padded to TRAILER_BYTES."""
    line = json.dumps({"format": FORMAT, **asdict(trailer)}).encode()
    return line.ljust(TRAILER_BYTES - 1) + b"\n"


def read_stored(file: FileIO, *, key: str) -> StoredObject:
    """What an object's file says of it. Raises ValueError when the file is damaged."""
    status = os.fstat(file.fileno())
    size = status.st_size - TRAILER_BYTES
    trailer = decode(os.pread(file.fileno(), TRAILER_BYTES, max(0, size)))
    if trailer is None or trailer.size != size:
        raise ValueError(f"the file of {key} is damaged")
    return describe(key, trailer, modified=status.st_mtime)


def decode(line: bytes) -> Trailer | None:
    """The trailer that the line holds, or None."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    match fields:
        case {
            "format": str(mark),
            "size": int(size),
            "content_type": str(content_type),
            "sha256": str(sha256),
        } if mark == FORMAT:
            return Trailer(size, content_type, sha256)
    return None


def describe(key: str, trailer: Trailer, *, modified: float) -> StoredObject:
    """The object as storage's callers see it; `modified` is in Unix seconds."""
    return StoredObject(
        key=key,
        size=trailer.size,
        content_type=trailer.content_type,
        sha256=trailer.sha256,
        etag=trailer.sha256[:ETAG_DIGITS],
        modified_at=datetime.fromtimestamp(modified, UTC),
    )
