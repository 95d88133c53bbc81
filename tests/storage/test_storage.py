"""What every storage does, whatever is behind it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from myapp.errors import NotFound, TooLarge
from myapp.storage.base import KEY_LENGTH, ByteRange, Storage, StoredObject
from myapp.storage.content import limited

NASTY_KEYS = [
    "",
    ".",
    "..",
    "/etc/passwd",
    "../up",
    "a/../b",
    "a/..",
    "a/./b",
    "a//b",
    "a/",
    "/",
    ".hidden",
    "a/.hidden",
    "nul\0byte",
    "line\nfeed",
    "end\n",
    "back\\slash",
    "a+b",
    "Upper",
    "a b",
    "%2e%2e/a",
    "ümlaut",
    "٣",
    "a?b=c",
    "~root",
    "-flag",
    "c:stream",
    "a" * (KEY_LENGTH + 1),
    "\ud800",
]


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.xdist_group("seaweed"))])
def storage(request: pytest.FixtureRequest) -> Storage:
    found: Storage = request.getfixturevalue(request.param)
    return found


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def read(storage: Storage, key: str, part: ByteRange | None = None) -> bytes:
    async with storage.open(key) as opened:
        return b"".join([block async for block in opened.read(part)])


async def stored(storage: Storage, key: str) -> StoredObject:
    async with storage.open(key) as opened:
        return opened.stored


class TestPut:
    async def test_what_was_put_comes_back_with_all_that_is_known_of_it(
        self, storage: Storage
    ) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)
        put = await storage.put("a/b.png", stream(b"hel", b"", b"lo"), content_type="image/png")

        assert (put.key, put.size, put.content_type) == ("a/b.png", 5, "image/png")
        assert put.sha256 == hashlib.sha256(b"hello").hexdigest()
        assert before < put.modified_at < datetime.now(UTC) + timedelta(seconds=2)
        assert await read(storage, "a/b.png") == b"hello"
        assert await stored(storage, "a/b.png") == put

    async def test_an_object_may_be_empty(self, storage: Storage) -> None:
        put = await storage.put("empty", stream(), content_type="text/plain")
        assert put.size == 0
        assert await read(storage, "empty") == b""

    async def test_a_second_put_replaces_bytes_and_type_together(self, storage: Storage) -> None:
        first = await storage.put("a", stream(b"the first"), content_type="image/png")
        second = await storage.put("a", stream(b"second"), content_type="image/gif")
        assert await read(storage, "a") == b"second"
        assert await stored(storage, "a") == second
        assert second.etag != first.etag

    async def test_a_source_that_fails_leaves_the_old_object(self, storage: Storage) -> None:
        await storage.put("a", stream(b"old"), content_type="image/png")
        chunks = limited(stream(*[b"x" * 1000] * 1000), 900_000)
        with pytest.raises(TooLarge):
            await storage.put("a", chunks, content_type="image/png")
        assert await read(storage, "a") == b"old"

    async def test_of_many_puts_on_one_key_exactly_one_is_kept_whole(
        self, storage: Storage
    ) -> None:
        def put(number: int) -> asyncio.Task[StoredObject]:
            chunks = stream(*[bytes([number]) * 50_000] * (number + 1))
            return asyncio.create_task(storage.put("a/b", chunks, content_type="image/png"))

        puts = await asyncio.gather(*[put(number) for number in range(20)])
        content, winner = await read(storage, "a/b"), await stored(storage, "a/b")
        assert winner.sha256 == hashlib.sha256(content).hexdigest()
        assert winner.sha256 in {put.sha256 for put in puts}

    @pytest.mark.parametrize("content_type", ["", "png", "a/b\r\nX-Evil: 1", "a/" + "b" * 200])
    async def test_a_content_type_that_is_none_is_refused(
        self, storage: Storage, content_type: str
    ) -> None:
        with pytest.raises(ValueError, match="not a content type"):
            await storage.put("a", stream(b"x"), content_type=content_type)
        with pytest.raises(NotFound):
            await stored(storage, "a")


class TestOpen:
    @pytest.mark.parametrize(
        ("start", "stop"), [(0, 1), (0, 700_000), (1, 699_999), (262_143, 262_145), (5, 5)]
    )
    async def test_a_part_is_exactly_those_bytes(
        self, storage: Storage, start: int, stop: int
    ) -> None:
        content = b"0123456" * 100_000
        await storage.put("a", stream(content), content_type="text/plain")
        assert await read(storage, "a", ByteRange(start, stop)) == content[start:stop]

    async def test_no_part_reaches_beyond_the_object(self, storage: Storage) -> None:
        await storage.put("a", stream(b"hello"), content_type="text/plain")
        assert await read(storage, "a", ByteRange(3, 10_000)) == b"lo"
        assert await read(storage, "a", ByteRange(7, 10_000)) == b""

    async def test_what_is_not_there_is_not_found(self, storage: Storage) -> None:
        with pytest.raises(NotFound):
            await stored(storage, "nowhere/at-all")

    async def test_a_reader_keeps_what_it_opened(self, storage: Storage) -> None:
        await storage.put("a", stream(b"old" * 200_000), content_type="text/plain")
        async with storage.open("a") as opened:
            blocks = opened.read()
            content = await anext(blocks)
            await storage.put("a", stream(b"new"), content_type="text/plain")
            await storage.delete("a")
            content += b"".join([block async for block in blocks])
        assert content == b"old" * 200_000


class TestCopy:
    async def test_a_copy_has_the_bytes_and_the_type_it_was_given(self, storage: Storage) -> None:
        content = b"0123456" * 100_000
        put = await storage.put("a", stream(content), content_type="text/plain")
        copied = await storage.copy("a", "b/c", content_type="image/png")
        assert (copied.key, copied.size, copied.content_type) == ("b/c", put.size, "image/png")
        assert await stored(storage, "b/c") == copied
        assert await read(storage, "b/c") == content

    async def test_it_outlives_what_it_was_copied_from(self, storage: Storage) -> None:
        await storage.put("a", stream(b"old"), content_type="text/plain")
        await storage.copy("a", "b", content_type="text/plain")
        await storage.put("a", stream(b"new"), content_type="text/plain")
        await storage.delete("a")
        assert await read(storage, "b") == b"old"

    async def test_of_what_is_not_there_is_not_found_and_changes_nothing(
        self, storage: Storage
    ) -> None:
        await storage.put("b", stream(b"old"), content_type="text/plain")
        with pytest.raises(NotFound):
            await storage.copy("nowhere", "b", content_type="text/plain")
        assert await read(storage, "b") == b"old"


class TestDelete:
    async def test_a_deleted_object_is_gone(self, storage: Storage) -> None:
        await storage.put("a", stream(b"x"), content_type="text/plain")
        await storage.delete("a")
        with pytest.raises(NotFound):
            await stored(storage, "a")

    async def test_deleting_what_is_not_there_is_no_error(self, storage: Storage) -> None:
        await storage.delete("never/was")
        await storage.delete("never/was")


class TestKeys:
    async def test_a_nasty_key_is_refused_everywhere(self, storage: Storage) -> None:
        await storage.put("a", stream(b"x"), content_type="text/plain")
        for key in NASTY_KEYS:
            await self.check_refused(storage, key)

    async def check_refused(self, storage: Storage, key: str) -> None:
        hour = timedelta(hours=1)
        for attempt in (
            storage.put(key, stream(b"x"), content_type="text/plain"),
            stored(storage, key),
            storage.delete(key),
            storage.copy(key, "a", content_type="text/plain"),
            storage.copy("a", key, content_type="text/plain"),
            storage.url(key, expires_in=hour),
            storage.upload_url(key, content_type="a/b", size=1, expires_in=hour),
        ):
            with pytest.raises(ValueError, match="not a storage key"):
                await attempt

    async def test_a_key_may_begin_as_another_one_is(self, storage: Storage) -> None:
        for key in ("a", "a/b", "a/b/c"):
            await storage.put(key, stream(key.encode()), content_type="text/plain")
        assert [await read(storage, key) for key in ("a", "a/b", "a/b/c")] == [
            b"a",
            b"a/b",
            b"a/b/c",
        ]

    async def test_the_longest_key_and_type_fit(self, storage: Storage) -> None:
        key, content_type = "k" * KEY_LENGTH, f"{'a' * 63}/{'b' * 127}; charset={'c' * 32}"
        await storage.put(key, stream(b"x"), content_type=content_type)
        assert (await stored(storage, key)).content_type == content_type


async def test_a_healthy_storage_passes_its_check(storage: Storage) -> None:
    await storage.check()
