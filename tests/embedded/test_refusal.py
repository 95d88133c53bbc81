"""What a start is refused for, in one line, and how long it waits."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from myapp.embedded import embedded_server, server
from myapp.embedded.watcher import open_lock, try_lock
from myapp.errors import ConfigError
from tests.embedded.users import (
    Start,
    append_only_file,
)


@contextmanager
def no_privileges() -> Iterator[None]:
    """Root may write anywhere: as root, this runs its block as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestRefusal:
    def refusal(self, data_dir: Path) -> str:
        async def use() -> None:
            async with embedded_server(data_dir):
                pytest.fail("it started")

        with pytest.raises(ConfigError) as refusal:
            asyncio.run(use())
        assert "\n" not in str(refusal.value)
        return str(refusal.value)

    def test_a_file_is_no_folder(self, data_dir: Path) -> None:
        data_dir.touch()

        assert (self.refusal(data_dir)).startswith(f"DATA_DIR: {data_dir} cannot be used: ")

    def test_a_folder_must_be_writable(self, data_dir: Path) -> None:
        data_dir.parent.chmod(0o755)
        data_dir.mkdir(mode=0o555)
        with no_privileges():
            message = self.refusal(data_dir)

        assert message == f"DATA_DIR: {data_dir} cannot be used: Permission denied"

    def test_a_platform_without_a_binary_is_named(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(sysname="Plan9", machine="mips"))

        message = self.refusal(data_dir)

        assert message.startswith(
            "DATA_DIR: no embedded server comes for plan9-mips; set REDIS_URL"
        )

    def test_a_spoilt_append_only_file_is_named_and_kept(
        self, data_dir: Path, start: Start
    ) -> None:
        user = start()
        user.wait_ready()
        user.leave()
        append_only_file(data_dir).write_text("no command\n")

        message = self.refusal(data_dir)

        assert message.startswith("DATA_DIR: the embedded server did not start: Bad file format")
        assert append_only_file(data_dir).read_text() == "no command\n"

    @pytest.mark.parametrize(
        ("binary", "reason"), [("/nowhere/server", "No such file"), ("/", "Permission denied")]
    )
    def test_a_binary_that_does_not_run_is_named(
        self, data_dir: Path, binary: str, reason: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "find_binary", lambda: Path(binary))

        assert reason in self.refusal(data_dir)

    async def test_what_the_body_raises_is_not_blamed_on_the_folder(self, data_dir: Path) -> None:
        with pytest.raises(FileNotFoundError):
            async with embedded_server(data_dir):
                raise FileNotFoundError


class TestWait:
    """How long a start waits, with a stand-in for a server that somebody else watches."""

    @pytest.fixture(autouse=True)
    def watched(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(server, "START_SECONDS", 0.3)
        monkeypatch.setattr(server, "LEAVE_SECONDS", 0.1)
        lock = open_lock(server.make_home(data_dir) / "watcher.lock")
        assert try_lock(lock)
        yield
        os.close(lock)

    async def test_a_server_that_never_answers_is_given_up(self, data_dir: Path) -> None:
        with pytest.raises(ConfigError, match=r"^DATA_DIR: .* did not answer within"):
            async with embedded_server(data_dir):
                pytest.fail("it started")

    async def test_a_server_that_loads_much_data_is_waited_for(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "START_SECONDS", 2)  # a busy machine is slow
        loaded_at = time.monotonic() + 3

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            loading = time.monotonic() < loaded_at
            writer.write(b"-LOADING data\r\n" if loading else b"+PONG\r\n")
            writer.close()

        socket = data_dir / "valkey" / "valkey.sock"
        async with await asyncio.start_unix_server(answer, socket), embedded_server(data_dir):
            assert time.monotonic() >= loaded_at

    @pytest.mark.parametrize("word", [b"-MISCONF disk is full", b"-ERR max number of clients"])
    async def test_a_server_that_answers_with_an_error_is_there(
        self, data_dir: Path, word: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "START_SECONDS", 20)  # a busy machine is slow

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(word + b"\r\n")
            writer.close()

        socket = data_dir / "valkey" / "valkey.sock"
        async with (
            await asyncio.start_unix_server(answer, socket),
            asyncio.timeout(20),
            embedded_server(data_dir) as url,
        ):
            assert url.endswith(str(socket))
