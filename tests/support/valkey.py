"""A Redis-compatible server of the tests' own: it may be killed, frozen and started again.

It is the one that comes along, or the one that `MYAPP_TEST_REDIS` names, such as `redis-server`. A
server that is named and not there fails its tests, never skips them.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from myapp.embedded.server import find_binary

START_SECONDS = 20.0


class Valkey:
    """One server process over one folder; `socket` and `url` stay the same over restarts."""

    def __init__(
        self, folder: Path, *, durable: bool = False, binary: str | Path | None = None
    ) -> None:
        """`durable`: every acknowledged write is on disk, also after a kill.

        `binary` is another server than the one that comes along, such as Redis itself.
        """
        self.socket = str(folder / "s")
        self.url = f"unix://{self.socket}"
        self._command = [str(binary or usual_server()), "--port", "0", "--unixsocket", self.socket]
        self._command += ["--dir", str(folder), "--save", ""]
        self._command += ["--appendonly", "yes", "--appendfsync", "always"] if durable else []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers: its socket is there a moment before it does."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while time.monotonic() < deadline:
                with suppress(redis.RedisError):
                    client.ping()
                    return
                time.sleep(0.01)
        raise TimeoutError("the server does not start")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It lives, and answers nothing."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


def usual_server() -> Path:
    """The program that this run of the tests uses."""
    named = os.environ.get("MYAPP_TEST_REDIS")
    if not named:
        return find_binary()
    if not (found := shutil.which(named)):
        raise ValueError(f"MYAPP_TEST_REDIS names {named}, which is not there")
    return Path(found)


@contextmanager
def running_valkey(*, durable: bool = False, binary: str | Path | None = None) -> Iterator[Valkey]:
    """In a folder of a short name, since the path of a unix socket has to be short."""
    with TemporaryDirectory(prefix="v", ignore_cleanup_errors=True) as folder:
        server = Valkey(Path(folder), durable=durable, binary=binary)
        server.start()
        try:
            yield server
        finally:
            server.kill()
