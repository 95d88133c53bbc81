"""An object on its way into a bucket, in parts."""

import io
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import structlog

from myapp.errors import NotFound, Unavailable
from myapp.storage.s3_client import Bucket

# The least that S3 takes for a part, and so the least memory. R2 wants all parts but the last to
# be of one size.
PART_BYTES = 5 * 1024 * 1024

log = structlog.get_logger()


class MultipartUpload:
    """An upload whose length nobody knows yet. It begins with its first part."""

    def __init__(self, bucket: Bucket, name: str, content_type: str) -> None:
        self._bucket = bucket
        self._name = name
        self._content_type = content_type
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    @property
    def begun(self) -> bool:
        return self._upload_id is not None

    async def add(self, part: bytes) -> None:
        if self._upload_id is None:
            self._upload_id = await self._begin()
        number = len(self._parts) + 1
        answer = await self._bucket.call(
            "upload_part",
            Key=self._name,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=io.BytesIO(part),
        )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    async def complete(self) -> None:
        """Makes the parts one object, if there are any."""
        if self._upload_id is None:
            return
        await self._bucket.call(
            "complete_multipart_upload",
            Key=self._name,
            UploadId=self._upload_id,
            MultipartUpload={"Parts": self._parts},
        )

    async def abort(self) -> None:
        """Removes the parts. Where that fails the sweep will do it: the log says so."""
        if self._upload_id is None:
            return
        try:
            await abort_upload(self._bucket, self._name, self._upload_id)
        except Unavailable:
            log.warning("upload not removed", name=self._name)

    async def _begin(self) -> str:
        answer = await self._bucket.call(
            "create_multipart_upload", Key=self._name, ContentType=self._content_type
        )
        upload_id: str = answer["UploadId"]
        return upload_id


async def abort_upload(bucket: Bucket, name: str, upload_id: str) -> None:
    """Removes the parts of an upload; one that has ended is no error. Raises Unavailable."""
    try:
        await bucket.call("abort_multipart_upload", Key=name, UploadId=upload_id)
    except NotFound:
        return


async def cut(chunks: AsyncIterator[bytes], size: int) -> AsyncGenerator[bytes, None]:
    """The same bytes in parts of exactly `size`, and a smaller last one if there is a rest.

    Nothing at all is one empty part.
    """
    part, yielded = bytearray(), False
    async for chunk in chunks:
        part += chunk
        while len(part) >= size:
            with memoryview(part) as view:
                whole = bytes(view[:size])
            del part[:size]
            yield whole
            yielded = True
    if part or not yielded:
        yield bytes(part)
