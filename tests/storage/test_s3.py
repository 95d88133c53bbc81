"""What is particular to a bucket."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from myapp.config import Settings
from myapp.errors import NotFound, Unavailable
from myapp.storage import open_storage
from myapp.storage.base import Storage
from myapp.storage.s3_upload import PART_BYTES
from tests.storage.test_storage import read, stored, stream
from tests.support.buckets import Place, outage
from tests.support.seaweed import Seaweed

pytestmark = pytest.mark.xdist_group("seaweed")

MINUTE = timedelta(minutes=1)
MEBIBYTE = 1024 * 1024


async def repeat(chunk: bytes, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield chunk


class TestParts:
    @pytest.mark.parametrize(
        "size", [PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 12 * MEBIBYTE]
    )
    async def test_an_object_of_any_size_comes_back_whole(
        self, s3: Storage, place: Place, size: int
    ) -> None:
        content = (b"0123456789abcde" * (size // 15 + 1))[:size]
        pieces = [content[at : at + 70_000] for at in range(0, size, 70_000)]
        put = await s3.put("a", stream(*pieces), content_type="text/plain")
        assert (put.size, put.sha256) == (size, hashlib.sha256(content).hexdigest())
        assert await read(s3, "a") == content
        assert await place.uploads() == []

    async def test_parts_are_of_one_size(self, s3: Storage, place: Place) -> None:
        """R2 takes no others. An S3 server tells how many there were in the etag."""
        chunks = repeat(b"x" * 900_000, 14)
        put = await s3.put("a", chunks, content_type="text/plain")
        assert put.etag.endswith(f"-{-(-put.size // PART_BYTES)}")

    async def test_they_take_little_memory(self, s3: Storage) -> None:
        await s3.put("warm", repeat(b"x" * 65_536, 100), content_type="text/plain")
        tracemalloc.start()
        try:
            await s3.put("a", repeat(b"x" * 65_536, 480), content_type="text/plain")
            async with s3.open("a") as opened:
                async for _ in opened.read():
                    pass
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 * PART_BYTES


class TestFailure:
    async def test_a_source_that_fails_leaves_nothing(self, s3: Storage, place: Place) -> None:
        async def failing() -> AsyncIterator[bytes]:
            yield b"x" * (6 * MEBIBYTE)
            assert await place.uploads()
            raise KeyError("a defect")

        with pytest.raises(KeyError):
            await s3.put("a", failing(), content_type="text/plain")
        assert (await place.names(), await place.uploads()) == ([], [])

    async def test_a_cancelled_upload_leaves_nothing(self, s3: Storage, place: Place) -> None:
        begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x" * (6 * MEBIBYTE)
            begun.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(s3.put("a", endless(), content_type="text/plain"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await place.names(), await place.uploads()) == ([], [])

    async def test_a_store_that_dies_is_an_outage_and_its_rests_are_swept(
        self, s3: Storage, place: Place, seaweed: Seaweed
    ) -> None:
        await s3.put("kept", stream(b"hello"), content_type="text/plain")

        async def killing() -> AsyncIterator[bytes]:
            yield b"x" * (6 * MEBIBYTE)
            seaweed.kill()
            yield b"x" * (6 * MEBIBYTE)

        async with outage(seaweed, s3):
            with pytest.raises(Unavailable):
                await s3.put("a", killing(), content_type="text/plain")
            attempts = (
                s3.put("b", stream(b"x"), content_type="text/plain"),
                read(s3, "kept"),
                s3.delete("kept"),
                s3.copy("kept", "b", content_type="text/plain"),
                s3.sweep(),
                s3.check(),
            )
            errors = await asyncio.gather(*attempts, return_exceptions=True)
            assert [type(error) for error in errors] == [Unavailable] * len(attempts)

        assert await place.uploads() == [f"{place.prefix}/a"]
        assert await s3.sweep() == 0
        assert await s3.sweep(older_than=-MINUTE) == 1
        assert await place.uploads() == []
        assert await place.names() == [f"{place.prefix}/kept"]
        assert await read(s3, "kept") == b"hello"

    async def test_a_bucket_that_is_not_there_is_an_outage(self, place: Place) -> None:
        settings = Settings(**place.settings | {"storage_url": "s3://no-such-bucket/x"})
        async with open_storage(settings, signing_key=b"unused") as storage:
            with pytest.raises(Unavailable):
                await storage.delete("a")
            with pytest.raises((Unavailable, NotFound)):
                await read(storage, "a")


class TestSignedUrls:
    async def test_a_url_reads_one_object_as_it_is_to_be_shown(self, s3: Storage) -> None:
        await s3.put("a", stream(b"<script>"), content_type="text/html")
        url = await s3.url("a", expires_in=MINUTE, filename="ä.html", content_type="text/html")
        async with httpx.AsyncClient() as client:
            answer = await client.get(url, headers={"Range": "bytes=1-6"})
            assert (answer.status_code, answer.content) == (206, b"script")
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
            for changed in (
                url.replace("/a?", "/b?"),
                url.replace("attachment", "inline"),
                url.replace("octet-stream", "html"),
                url.replace("Expires=60", "Expires=61"),
                url[:-1] + ("0" if url[-1] != "0" else "1"),
            ):
                assert (await client.get(changed)).status_code == 403
            assert (await client.put(url, content=b"x")).status_code == 403

    async def test_a_url_stores_what_it_was_signed_for(self, s3: Storage) -> None:
        request = await s3.upload_url("a", content_type="image/png", size=5, expires_in=MINUTE)
        async with httpx.AsyncClient() as client:
            for content, headers in (
                (b"hello!", request.headers),
                (b"hell", request.headers),
                (b"hello", {"Content-Type": "text/html"}),
            ):
                refused = await client.request(
                    request.method, request.url, content=content, headers=headers
                )
                assert refused.status_code == 403
            answer = await client.request(
                request.method, request.url, content=b"hello", headers=request.headers
            )
            assert answer.status_code == 200
        assert (await stored(s3, "a")).size == 5

    async def test_urls_expire(self, s3: Storage) -> None:
        await s3.put("a", stream(b"x"), content_type="text/plain")
        second = timedelta(seconds=1)
        url = await s3.url("a", expires_in=second)
        request = await s3.upload_url("b", content_type="a/b", size=1, expires_in=second)
        await asyncio.sleep(2.1)
        async with httpx.AsyncClient() as client:
            assert (await client.get(url)).status_code == 403
            sent = await client.put(request.url, content=b"x", headers=request.headers)
            assert sent.status_code == 403

    async def test_what_a_sender_writes_beside_the_bytes_is_not_copied(
        self, s3: Storage, place: Place
    ) -> None:
        await place.client.put_object(
            Bucket="test-bucket",
            Key=f"{place.prefix}/a",
            Body=b"hello",
            Metadata={"sha256": "made up"},
            ContentDisposition="inline",
        )
        copied = await s3.copy("a", "b", content_type="image/png")
        assert (copied.sha256, copied.content_type) == (None, "image/png")
        assert "ContentDisposition" not in await place.head("b")


async def test_opening_asks_nothing_of_the_bucket() -> None:
    settings = Settings(storage_url="s3://bucket", s3_endpoint_url="http://127.0.0.1:9")
    async with open_storage(settings, signing_key=b"unused") as storage:
        with pytest.raises(Unavailable):
            await storage.check()
