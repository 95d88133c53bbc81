"""What storage is: objects of bytes by key, written once as a whole and read in pieces."""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

KEY_LENGTH = 200  # a file's name takes 255 bytes, and S3 takes 1,024 with its prefix
KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]{1,63}/[\w!#$&^.+-]{1,127}(; charset=[\w-]{1,32})?", re.A)
LEFTOVER_AGE = timedelta(days=1)  # longer than any upload that is still under way


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What storage knows of an object.

    `sha256` is in hexadecimal, and None where storage does not know it: `put` always tells it.
    `etag` is opaque, without quotes, and changes with the bytes. `modified_at` is in UTC.
    """

    key: str
    size: int
    content_type: str
    sha256: str | None
    etag: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that somebody else may send, once or more, until it expires: as it stands.

    The length of its body is signed too, where it has one. `url` may begin with `/`.
    """

    method: str
    url: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` up to, and without, `stop`."""

    start: int
    stop: int


class OpenObject(Protocol):
    """An object held open: a reader that has begun never gets a mixture of two objects."""

    @property
    def stored(self) -> StoredObject:
        """What this is; nothing has been read for it yet."""

    def read(self, part: ByteRange | None = None) -> AsyncIterator[bytes]:
        """The bytes, or those of `part`, which lies within the object, in blocks.

        Raises Unavailable when storage goes away in between.
        """


class Storage(Protocol):
    """Where objects are kept.

    Keys are made by the program, never taken from a user: 1 to 200 of `a-z 0-9 _ . -` in parts
    joined by `/`, each beginning with a letter or digit. Another key is a ValueError, a defect.
    Every method raises Unavailable while storage is out of reach or full.
    """

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str
    ) -> StoredObject:
        """Stores what `chunks` yields, in bounded memory, all of it or nothing.

        Replaces what the key held, at once for every reader. What `chunks` raises goes through,
        and leaves nothing. A cancellation leaves nothing either, unless it comes while the
        finished object is being named: a caller that does not keep the key deletes it.
        """

    def open(self, key: str) -> AbstractAsyncContextManager[OpenObject]:
        """Holds an object open. Raises NotFound."""

    async def delete(self, key: str) -> None:
        """Removes an object, for good once this returns. One that is not there is no error."""

    async def copy(self, source: str, target: str, *, content_type: str) -> StoredObject:
        """Stores an object under a second key, all of it or nothing. Raises NotFound.

        What was sent through a signed URL is copied to a key that no signed URL can write, and
        judged there. The caller deletes the source.
        """

    async def url(
        self,
        key: str,
        *,
        expires_in: timedelta,
        filename: str | None = None,
        content_type: str | None = None,
    ) -> str:
        """A URL that gives the object to whoever holds it, for at least `expires_in`.

        It may begin with `/`: then it is relative to the API's own address, so that events and
        gRPC can carry it. Whether the object exists is not asked. `filename` is what a browser
        saves it as. `content_type` is the object's own, for storage that serves it by itself:
        what is not a picture, sound or film is then served as an attachment.
        """

    async def upload_url(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> SignedRequest:
        """A request that stores exactly `size` bytes of this type, for at least `expires_in`.

        What it stores has been checked by nobody, and may be replaced until it expires.
        """

    async def sweep(self, *, older_than: timedelta = LEFTOVER_AGE) -> int:
        """Removes what uploads cut off by a crash left behind; returns how many."""

    async def check(self) -> None:
        """Proves that storage can be written. Raises Unavailable."""


def check_key(key: str) -> str:
    """The key itself. Raises ValueError for one that breaks the rules of Storage."""
    if len(key) > KEY_LENGTH or not KEY.fullmatch(key):
        raise ValueError(f"not a storage key: {key[:KEY_LENGTH]!r}")
    return key


def check_content_type(content_type: str) -> str:
    """The type itself, as `type/subtype` with at most a charset. Raises ValueError."""
    if not CONTENT_TYPE.fullmatch(content_type):
        raise ValueError(f"not a content type: {content_type[:KEY_LENGTH]!r}")
    return content_type
