"""One object on its way into local storage."""

import hashlib
import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from io import FileIO
from pathlib import Path

import structlog

from myapp.storage.base import StoredObject
from myapp.storage.disk import create_file, make_folder, sync_folder, write_whole
from myapp.storage.trailer import Trailer, describe, encode

BLOCK_BYTES = 256 * 1024  # worth a trip to a thread, and little enough for many uploads at once

log = structlog.get_logger()


class Upload:
    """A file among the incoming ones, until it is published under its own name or discarded.

    Every method blocks and raises OSError. They are called one after the other, from any thread:
    to seal takes long and still leaves nothing when it is cut off, to publish is over at once.
    """

    def __init__(self, incoming: Path) -> None:
        self._path = incoming / uuid.uuid4().hex
        self._file: FileIO | None = None
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, block: bytes) -> None:
        write_whole(self._opened(), block)
        self._sha256.update(block)
        self._size += len(block)

    def seal(self, *, key: str, content_type: str) -> StoredObject:
        """Ends the object and brings it to the disk, still under no name of its own."""
        file = self._opened()
        trailer = Trailer(self._size, content_type, self._sha256.hexdigest())
        write_whole(file, encode(trailer))
        os.fsync(file.fileno())
        stored = describe(key, trailer, modified=os.fstat(file.fileno()).st_mtime)
        file.close()
        return stored

    def publish(self, target: Path) -> None:
        """Puts the sealed object in the place of whatever `target` was, to outlive a power cut."""
        make_folder(target.parent)
        self._path.replace(target)
        sync_folder(target.parent)

    def discard(self) -> None:
        """Removes what was written. Where that fails the sweep will do it: the log says so."""
        try:
            if self._file:
                self._file.close()
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("upload not removed", path=str(self._path), reason=error.strerror)

    def _opened(self) -> FileIO:
        if not self._file:
            make_folder(self._path.parent)
            self._file = create_file(self._path)
        return self._file


async def gather_blocks(
    chunks: AsyncIterator[bytes], size: int = BLOCK_BYTES
) -> AsyncGenerator[bytes, None]:
    """The same bytes in blocks of `size` and more; a chunk is never split."""
    block = bytearray()
    async for chunk in chunks:
        block += chunk
        if len(block) >= size:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
