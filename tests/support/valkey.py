"""A Valkey server of the tests' own, which they may stop, kill and start again."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from myapp.embedded.server import find_binary

START_SECONDS = 5.0


class Valkey:
    """One server process over one folder; `url` stays the same over restarts."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        """`durable`: every acknowledged write is on disk, also after a kill."""
        self._socket = folder / "s"
        self.url = f"unix://{self._socket}"
        self._command = [str(find_binary()), "--port", "0", "--unixsocket", str(self._socket)]
        self._command += ["--dir", str(folder), "--save", ""]
        self._command += ["--appendonly", "yes", "--appendfsync", "always"] if durable else []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while time.monotonic() < deadline:
                with suppress(redis.RedisError):
                    client.ping()
                    return
                time.sleep(0.01)
        raise TimeoutError("valkey does not start")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running_valkey(*, durable: bool = False) -> Iterator[Valkey]:
    """In a folder of a short name, since the path of a unix socket has to be short."""
    with TemporaryDirectory(prefix="v", ignore_cleanup_errors=True) as folder:
        server = Valkey(Path(folder), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.kill()
