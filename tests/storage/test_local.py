import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from myapp.errors import NotFound, Unavailable
from myapp.storage.base import StoredObject
from myapp.storage.local import LocalStorage

CHILD = """
import asyncio, resource, sys
from pathlib import Path
from myapp.errors import Unavailable
from myapp.storage.local import LocalStorage
from myapp.storage.signing import UrlSigner

async def chunks(count):
    for _ in range(count):
        yield b"x" * 100_000
    if "wait" in sys.argv:
        print("waiting", flush=True)
        await asyncio.sleep(60)

async def main():
    storage = LocalStorage(Path(sys.argv[1]), UrlSigner(b"key"))
    storage.make_root()
    if "full" in sys.argv:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        await storage.put("small", chunks(1), content_type="text/plain")
    try:
        await storage.put("large", chunks(30), content_type="text/plain")
    except Unavailable as error:
        print("unavailable:", error.text)

asyncio.run(main())
"""


def start_child(root: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(root), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def repeat(chunk: bytes, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield chunk


async def read(storage: LocalStorage, key: str) -> bytes:
    async with storage.open(key) as opened:
        return b"".join([block async for block in opened.read()])


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def folders_below(root: Path) -> list[Path]:
    return [root, *(path for path in root.rglob("*") if path.is_dir())]


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def held_files() -> list[str]:
    return [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]


def incoming(root: Path) -> list[Path]:
    return files_below(root / "incoming")


class TestFiles:
    async def test_only_we_may_read_them(self, local: LocalStorage, root: Path) -> None:
        await local.put("a/b", stream(b"x"), content_type="text/plain")
        assert [mode_of(path) for path in files_below(root)] == [0o600]
        assert [mode_of(path) for path in folders_below(root)] == [0o700] * 3

    async def test_one_object_is_one_file_that_begins_with_its_bytes(
        self, local: LocalStorage, root: Path
    ) -> None:
        await local.put("a/b", stream(b"hello"), content_type="text/plain")
        (path,) = files_below(root)
        assert path.name == "a+b"
        assert path.read_bytes().startswith(b"hello")

    @pytest.mark.parametrize("part", [slice(0), slice(100), slice(1000), slice(1, None)])
    async def test_a_damaged_file_is_never_served(
        self, local: LocalStorage, root: Path, part: slice
    ) -> None:
        await local.put("a", stream(b"1" * 1000), content_type="text/plain")
        (path,) = files_below(root)
        path.write_bytes(path.read_bytes()[part])
        with pytest.raises(ValueError, match="the file of a is damaged"):
            await read(local, "a")


class TestMemory:
    async def test_a_hundred_megabytes_pass_in_little_memory(self, local: LocalStorage) -> None:
        tracemalloc.start()
        try:
            put = await local.put("a", repeat(b"x" * 65_536, 1600), content_type="text/plain")
            checksum = hashlib.sha256()
            async with local.open("a") as opened:
                async for block in opened.read():
                    checksum.update(block)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert put.size == 65_536 * 1600
        assert put.sha256 == checksum.hexdigest()
        assert peak < 3_000_000


class TestCancellation:
    @pytest.mark.parametrize("turns", range(0, 60, 3))
    async def test_a_cancelled_put_leaves_nothing_or_the_whole_object(
        self, local: LocalStorage, root: Path, turns: int
    ) -> None:
        task = asyncio.create_task(self.put_two_blocks(local))
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        task.cancel()
        await asyncio.wait([task])
        assert incoming(root) == []
        assert [path.stat().st_size for path in files_below(root)] in ([], [600_512])

    async def test_a_put_cancelled_while_bytes_come_leaves_nothing(
        self, local: LocalStorage, root: Path
    ) -> None:
        arrived = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x" * 300_000
            arrived.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(local.put("a", endless(), content_type="text/plain"))
        await arrived.wait()
        assert len(incoming(root)) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert files_below(root) == []

    async def test_a_cancelled_open_holds_no_file(self, local: LocalStorage) -> None:
        await local.put("a", stream(b"x"), content_type="text/plain")
        for _ in range(50):
            task = asyncio.create_task(read(local, "a"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert not [name for name in held_files() if name.endswith("/a")]

    async def put_two_blocks(self, local: LocalStorage) -> StoredObject:
        return await local.put("a", stream(b"x" * 300_000, b"y" * 300_000), content_type="a/b")


class TestOutage:
    def test_a_full_disk_is_unavailable_and_leaves_only_what_was_there(self, root: Path) -> None:
        with start_child(root, "full") as child:
            output, _ = child.communicate(timeout=20)
        assert child.returncode == 0
        assert "unavailable: Storage is out of reach or full" in output
        assert [path.name for path in files_below(root)] == ["small"]

    async def test_a_lost_folder_is_an_outage_and_no_loss(
        self, local: LocalStorage, root: Path
    ) -> None:
        await local.put("a", stream(b"hello"), content_type="text/plain")
        away = root.with_name("away")
        os.rename(root, away)  # noqa: PTH104  # ruff takes a Path's own for blocking the loop
        for attempt in (
            local.put("b", stream(b"x"), content_type="text/plain"),
            read(local, "a"),
            local.delete("a"),
            local.sweep(),
            local.check(),
        ):
            with pytest.raises(Unavailable):
                await attempt
        os.rename(away, root)  # noqa: PTH104  # as above
        assert await read(local, "a") == b"hello"
        await local.check()
        assert [path.name for path in files_below(root)] == ["a"]


class TestSweep:
    async def test_what_a_crash_left_is_removed_once_it_is_old(
        self, local: LocalStorage, root: Path
    ) -> None:
        with start_child(root, "wait") as child:
            assert child.stdout
            assert child.stdout.readline() == "waiting\n"
            child.send_signal(signal.SIGKILL)
        (leftover,) = incoming(root)

        assert await local.sweep() == 0
        assert leftover.exists()
        long_ago = leftover.stat().st_mtime - timedelta(days=1, minutes=1).total_seconds()
        os.utime(leftover, (long_ago, long_ago))
        assert await local.sweep() == 1
        assert files_below(root) == []

    async def test_objects_are_never_swept(self, local: LocalStorage, root: Path) -> None:
        await local.put("a", stream(b"x"), content_type="text/plain")
        os.utime(files_below(root)[0], (0, 0))
        assert await local.sweep(older_than=timedelta()) == 0
        assert await read(local, "a") == b"x"


async def test_a_url_opens_its_object_only(local: LocalStorage) -> None:
    url = urlsplit(await local.url("a/b", expires_in=timedelta(hours=1)))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.path == "/storage/a/b"
    assert local.signer.check("a/b", **query) >= 3600


async def test_a_key_whose_folder_exists_may_still_be_missing(local: LocalStorage) -> None:
    await local.put("a", stream(b"x"), content_type="text/plain")
    await local.delete("a")
    with pytest.raises(NotFound):
        await read(local, "a")
