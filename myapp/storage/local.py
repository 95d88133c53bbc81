"""Objects as files on this machine, or on a file system that machines share.

DATA_DIR/files/
├── incoming/            uploads under way, by random names
└── 3f/                  256 folders, by the first byte of the key's SHA-256
    └── avatars+0197...  one object: its bytes and its trailer; `+` stands for the key's `/`

So no key is a folder in another key's way, and no folder is ever to be removed.
"""

import hashlib
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from functools import partial
from io import FileIO
from pathlib import Path

from myapp.errors import NotFound, Unavailable
from myapp.storage.base import (
    LEFTOVER_AGE,
    ByteRange,
    SignedRequest,
    StoredObject,
    check_content_type,
    check_key,
)
from myapp.storage.disk import FOLDER_MODE, make_folder, run_step, sync_folder
from myapp.storage.signing import UrlSigner
from myapp.storage.trailer import read_stored
from myapp.storage.upload import BLOCK_BYTES, Upload, gather_blocks

INCOMING = "incoming"  # the folder of uploads under way
# Of a folder and of a path below the root: others put theirs beside our objects, such as file
# managers, file servers, and copies that were cut short.
FOLDER = re.compile(r"[0-9a-f]{2}")
OBJECT = re.compile(rf"{FOLDER.pattern}/[a-z0-9][a-z0-9_.+-]*")


class LocalObject:
    """An object's open file."""

    def __init__(self, file: FileIO, stored: StoredObject) -> None:
        self.stored = stored
        self._file = file

    async def read(self, part: ByteRange | None = None) -> AsyncIterator[bytes]:
        at, stop = (part.start, part.stop) if part else (0, self.stored.size)
        while at < min(stop, self.stored.size):
            size = min(BLOCK_BYTES, stop - at, self.stored.size - at)
            block = await run_step(partial(os.pread, self._file.fileno(), size, at))
            if not block:
                raise Unavailable("Storage lost a part of this object")
            at += len(block)
            yield block


class LocalStorage:
    """Storage below one folder, which has to exist: see `make_root`."""

    def __init__(self, root: Path, signer: UrlSigner) -> None:
        """`signer` makes this storage's URLs, and checks them for the route that serves them."""
        self.signer = signer
        self._root = root
        self._incoming = root / INCOMING

    def make_root(self) -> None:
        """Makes the folder. Nothing else does, so that a lost one is noticed. Raises OSError."""
        self._root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str
    ) -> StoredObject:
        check_content_type(content_type)
        target, upload = self._path(key), Upload(self._incoming)
        try:
            async with aclosing(gather_blocks(chunks)) as blocks:
                async for block in blocks:
                    await run_step(partial(upload.write, block))
            stored = await run_step(partial(upload.seal, key=key, content_type=content_type))
            await run_step(partial(upload.publish, target))
        except BaseException:
            await run_step(upload.discard)
            raise
        return stored

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[LocalObject]:
        path = self._path(key)
        with ExitStack() as held:  # it also holds a file that is opened while we are cancelled
            yield await run_step(partial(self._open, path, key, held))

    async def delete(self, key: str) -> None:
        await run_step(partial(self._delete, self._path(key)))

    async def copy(self, source: str, target: str, *, content_type: str) -> StoredObject:
        async with self.open(source) as found:
            return await self.put(target, found.read(), content_type=content_type)

    async def url(
        self,
        key: str,
        *,
        expires_in: timedelta,
        filename: str | None = None,
        content_type: str | None = None,  # noqa: ARG002  # the route that serves it knows it
    ) -> str:
        return self.signer.url(check_key(key), expires_in=expires_in, filename=filename)

    async def upload_url(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> SignedRequest:
        url = self.signer.upload_url(
            check_key(key),
            expires_in=expires_in,
            content_type=check_content_type(content_type),
            size=size,
        )
        return SignedRequest("PUT", url, {"Content-Type": content_type})

    async def sweep(self, *, older_than: timedelta = LEFTOVER_AGE) -> int:
        return await run_step(partial(self._sweep, time.time() - older_than.total_seconds()))

    async def check(self) -> None:
        probe = Upload(self._incoming)
        try:
            await run_step(partial(probe.write, b"check"))
        finally:
            await run_step(probe.discard)

    def _path(self, key: str) -> Path:
        folder = hashlib.sha256(check_key(key).encode()).hexdigest()[:2]
        return self._root / folder / key.replace("/", "+")

    def _open(self, path: Path, key: str, held: ExitStack) -> LocalObject:
        try:
            file = held.enter_context(FileIO(path))
        except FileNotFoundError:
            self._root.stat()  # a lost folder is an outage, not a missing object
            raise NotFound from None
        return LocalObject(file, read_stored(file, key=key))

    def _delete(self, path: Path) -> None:
        try:
            path.unlink()
        except FileNotFoundError:
            self._root.stat()  # a lost folder is an outage, not a missing object
            return
        sync_folder(path.parent)

    def _sweep(self, oldest: float) -> int:
        make_folder(self._incoming)
        leftovers = [path for path in self._incoming.iterdir() if is_older(path, oldest)]
        for path in leftovers:
            path.unlink(missing_ok=True)
        return len(leftovers)


def is_older(path: Path, oldest: float) -> bool:
    """Whether a file was last written before `oldest`, in Unix seconds; one that is gone is not."""
    try:
        return path.stat().st_mtime < oldest
    except FileNotFoundError:
        return False
