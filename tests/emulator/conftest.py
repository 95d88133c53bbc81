"""Firebase's own Auth emulator, where `make test-emulator` has installed it.

It is a program of Node.js, far too large for every run of the tests: elsewhere nothing in this
folder is collected.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_ports
from tests.support.program import environment

FIREBASE = os.environ.get("MYAPP_TEST_FIREBASE_TOOLS", "")
PROJECT = "demo-myapp"
START_SECONDS = 120.0
STOP_SECONDS = 10.0

collect_ignore_glob = [] if FIREBASE else ["test_*.py"]


class Emulator:
    """What people do by an app of theirs, and the project's owner by the console."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._accounts = f"http://{host}/identitytoolkit.googleapis.com/v1"
        self._owner = {"Authorization": "Bearer owner"}

    def sign_up(self, email: str) -> str:
        """The id of somebody new, whose address is verified."""
        body = {"email": email, "password": "a secret", "displayName": "Ada"}
        uid: str = self._post("accounts:signUp?key=any", body)["localId"]
        self.change(uid, emailVerified=True)
        return uid

    def sign_in(self, email: str) -> str:
        """A new token."""
        body = {"email": email, "password": "a secret", "returnSecureToken": True}
        token: str = self._post("accounts:signInWithPassword?key=any", body)["idToken"]
        return token

    def change(self, uid: str, **fields: object) -> None:
        self._post(f"projects/{PROJECT}/accounts:update", {"localId": uid, **fields})

    def delete(self, uid: str) -> None:
        self._post(f"projects/{PROJECT}/accounts:delete", {"localId": uid})

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, str]:
        url = f"{self._accounts}/{path}"
        answer = httpx.post(url, json=body, headers=self._owner, timeout=START_SECONDS)
        found: dict[str, str] = answer.raise_for_status().json()
        return found


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("emulator")
    auth, hub, logging = free_ports(3)
    ports = {"auth": auth, "hub": hub, "logging": logging}
    emulators: dict[str, object] = {
        name: {"host": "127.0.0.1", "port": port} for name, port in ports.items()
    }
    (folder / "firebase.json").write_text(
        json.dumps({"emulators": emulators | {"ui": {"enabled": False}}})
    )
    command = [FIREBASE, "emulators:start", "--only=auth", f"--project={PROJECT}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "CI": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await_start(process, f"http://127.0.0.1:{auth}", folder / "log")
        yield Emulator(f"127.0.0.1:{auth}")
    finally:
        end(process)


def await_start(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(url, timeout=1)
        except httpx.HTTPError:
            time.sleep(0.1)  # nothing tells when it listens
        else:
            return
    raise TimeoutError(log.read_text())


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def env(emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """The program's, whose people are those of the emulator."""
    variables = {"FIREBASE_PROJECT_ID": PROJECT, "FIREBASE_AUTH_EMULATOR_HOST": emulator.host}
    return environment(tmp_path / "data", **variables)
