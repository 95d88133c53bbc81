"""The Procfile as a platform runs it: the release, then every process; one-off commands."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.databases import dialects, scratch_database
from tests.support.program import run_program
from tests.support.valkey import Valkey

PROCFILE = Path(__file__).parents[2] / "Procfile"
PROCESSES = ("web", "worker", "scheduler", "grpc")
SECONDS = 30.0
# Honcho has a shell start each; where that stays, its status is all that Honcho sees.
SAY_STATUS = """#!/bin/sh
trap : TERM
"{program}" "$@"
echo "ended with $?"
"""


@pytest.fixture
async def env(
    env: dict[str, str], own_valkey: Valkey, tmp_path: Path
) -> AsyncIterator[dict[str, str]]:
    """A database and a Redis of the platform's, and a `myapp` that says how it ended."""
    command = tmp_path / "bin" / "myapp"
    command.parent.mkdir()
    command.write_text(SAY_STATUS.format(program=Path(sys.executable).with_name("myapp")))
    command.chmod(0o755)
    others = {"PUSH_PROVIDER": "log", "PATH": f"{command.parent}{os.pathsep}{env['PATH']}"}
    async with scratch_database(dialects()[-1], tmp_path) as url:
        yield env | others | {"DATABASE_URL": url, "REDIS_URL": own_valkey.url}


class Honcho:
    """Some processes of the Procfile, and what they have printed."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait_for(self, name: str, event: str) -> dict[str, Any]:
        """The first line of this event from the process of this name."""
        deadline = time.monotonic() + SECONDS
        while not (lines := self._lines(name, event)):
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        return lines[0]

    def _lines(self, name: str, event: str) -> list[dict[str, Any]]:
        pieces = [line.partition(" | ") for line in self.output.split("\n")[:-1]]
        said = [
            json.loads(text)
            for origin, _, text in pieces
            if f" {name}.1 " in f"{origin} " and text.startswith("{")
        ]
        return [line for line in said if line["event"] == event]


@contextmanager
def honcho(*processes: str, env: dict[str, str], cwd: Path) -> Iterator[Honcho]:
    """Starts these processes; Honcho ends them, or kills those that do not, within seconds."""
    output = cwd / f"honcho-{processes[0]}"
    command = [sys.executable, "-m", "honcho", "--procfile", str(PROCFILE), "--app-root", str(cwd)]
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*command, "start", "--no-colour", *processes], env=env, cwd=cwd, stdout=file
        )
    try:
        yield Honcho(process, output)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(SECONDS)


@pytest.fixture
def myapp(env: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """A one-off command."""

    def run(*arguments: str) -> str:
        done = run_program(*arguments, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_the_procfile_is_a_whole_installation(
    env: dict[str, str], tmp_path: Path, myapp: Callable[..., str]
) -> None:
    with honcho("release", env=env, cwd=tmp_path) as release:
        release.process.wait(SECONDS)
        assert "| ended with 0\n" in release.output, release.output
    with honcho(*PROCESSES, env=env, cwd=tmp_path) as platform:
        ready = {name: platform.wait_for(name, "ready") for name in PROCESSES}
        api = f"http://{ready['web']['listening']['api']}"
        headers = {"Authorization": f"Bearer {myapp('token', 'root@example.com')}"}
        myapp("admin", "grant", "root@example.com")
        with httpx.Client(base_url=api, headers=headers) as client:
            user = client.get("/auth/me").json()["data"]
            assert user["role"] == "admin"
            client.post("/devices", json={"token": "a-token", "platform": "ios"})
            body = {"user_id": user["id"], "title": "Hello", "body": "It works"}
            sent = client.post("/notifications", json=body)
            assert sent.status_code == 202, sent.text
            pushed = platform.wait_for("worker", "push")
            assert [pushed["notification"]] == sent.json()["data"]["ids"]
            running = client.get("/admin/stats").json()["data"]["processes"]
        roles = ["api", "grpc", "scheduler", "worker"]
        assert sorted(process["role"] for process in running) == roles
        platform.process.send_signal(signal.SIGTERM)
        platform.process.wait(SECONDS)
        assert platform.output.count("| ended with 0\n") == len(PROCESSES), platform.output
