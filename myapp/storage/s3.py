"""Objects in a bucket of S3, or of a store that speaks as S3 does: Cloudflare R2, SeaweedFS.

A key is the object's name behind the prefix. Nothing but an upload's own part is held in memory.
For processes with such a bucket alone: it loads botocore and aiohttp, half a second.
"""

import hashlib
import io
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from myapp.storage.base import (
    LEFTOVER_AGE,
    ByteRange,
    SignedRequest,
    StoredObject,
    check_content_type,
    check_key,
)
from myapp.storage.presentation import present
from myapp.storage.s3_client import Bucket
from myapp.storage.s3_upload import PART_BYTES, MultipartUpload, abort_upload, cut
from myapp.storage.upload import BLOCK_BYTES

SHA256 = "sha256"  # the object's metadata, where we knew it before we sent the bytes
PROBE = "check"


class S3Object:
    """An object as it was when it was opened: once it is another one, nothing of it is read."""

    def __init__(self, bucket: Bucket, name: str, stored: StoredObject) -> None:
        self.stored = stored
        self._bucket = bucket
        self._name = name

    async def read(self, part: ByteRange | None = None) -> AsyncIterator[bytes]:
        start, stop = (part.start, part.stop) if part else (0, self.stored.size)
        last = min(stop, self.stored.size) - 1
        if start > last:
            return
        answer = await self._bucket.call(
            "get_object",
            Key=self._name,
            Range=f"bytes={start}-{last}",
            IfMatch=f'"{self.stored.etag}"',
        )
        async for block in self._bucket.read(answer["Body"], BLOCK_BYTES):
            yield block


class S3Storage:
    """Storage in one bucket, which has to exist, below a prefix."""

    def __init__(self, bucket: Bucket, *, prefix: str = "") -> None:
        """`prefix` is empty or ends with `/`."""
        self._bucket = bucket
        self._prefix = prefix

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str
    ) -> StoredObject:
        name, content_type = self._name(key), check_content_type(content_type)
        digest, upload = Digest(), MultipartUpload(self._bucket, name, content_type)
        try:
            async with aclosing(cut(digest.of(chunks), PART_BYTES)) as parts:
                async for part in parts:
                    if upload.begun or len(part) == PART_BYTES:
                        await upload.add(part)
                    else:
                        await self._put_small(name, part, content_type)
            await upload.complete()
        except BaseException:
            await upload.abort()
            raise
        return replace(await self._describe(key), size=digest.size, sha256=digest.sha256)

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[S3Object]:
        yield S3Object(self._bucket, self._name(key), await self._describe(key))

    async def delete(self, key: str) -> None:
        await self._bucket.call("delete_object", Key=self._name(key))

    async def copy(self, source: str, target: str, *, content_type: str) -> StoredObject:
        await self._bucket.call(
            "copy_object",
            Key=self._name(target),
            CopySource={"Bucket": self._bucket.name, "Key": self._name(source)},
            # What a sender has written beside the bytes is not taken over.
            MetadataDirective="REPLACE",
            ContentType=check_content_type(content_type),
        )
        return await self._describe(target)

    async def url(
        self,
        key: str,
        *,
        expires_in: timedelta,
        filename: str | None = None,
        content_type: str | None = None,
    ) -> str:
        wanted: dict[str, Any] = {"Key": self._name(key)}
        if content_type:
            shown = present(content_type, filename)
            wanted["ResponseContentType"] = shown.content_type
            wanted["ResponseContentDisposition"] = shown.disposition
        return await self._bucket.sign("get_object", wanted, seconds(expires_in))

    async def upload_url(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> SignedRequest:
        wanted = {
            "Key": self._name(key),
            "ContentType": check_content_type(content_type),
            "ContentLength": size,
        }
        url = await self._bucket.sign("put_object", wanted, seconds(expires_in))
        return SignedRequest("PUT", url, {"Content-Type": content_type})

    async def sweep(self, *, older_than: timedelta = LEFTOVER_AGE) -> int:
        oldest = datetime.now(UTC) - older_than
        leftovers = [
            (upload["Key"], upload["UploadId"])
            async for upload in self._bucket.list("list_multipart_uploads", self._prefix, "Uploads")
            if upload["Initiated"] < oldest
        ]
        for name, upload_id in leftovers:
            await abort_upload(self._bucket, name, upload_id)
        return len(leftovers)

    async def check(self) -> None:
        name = self._name(PROBE)
        await self._bucket.call("put_object", Key=name, Body=b"check")
        await self._bucket.call("delete_object", Key=name)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    async def _put_small(self, name: str, content: bytes, content_type: str) -> None:
        await self._bucket.call(
            "put_object",
            Key=name,
            Body=io.BytesIO(content),
            ContentType=content_type,
            Metadata={SHA256: hashlib.sha256(content).hexdigest()},
        )

    async def _describe(self, key: str) -> StoredObject:
        head = await self._bucket.call("head_object", Key=self._name(key))
        return StoredObject(
            key=key,
            size=head["ContentLength"],
            content_type=head["ContentType"],
            sha256=head["Metadata"].get(SHA256),
            etag=head["ETag"].strip('"'),
            modified_at=head["LastModified"].astimezone(UTC),
        )


class Digest:
    """Size and SHA-256 of what has passed so far."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    async def of(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The same chunks."""
        async for chunk in chunks:
            self._sha256.update(chunk)
            self.size += len(chunk)
            yield chunk


def seconds(lifetime: timedelta) -> int:
    return max(1, math.ceil(lifetime.total_seconds()))
