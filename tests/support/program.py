"""The real program as a child process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from myapp.identity.local import LocalProvider
from myapp.secrets import read_or_make
from tests.support.warm_start import run_warm

START_SECONDS = 20.0
STOP_SECONDS = 35.0
COMMAND_SECONDS = 60.0
# What makes `make coverage` follow a process from its start on.
MEASURE = "COVERAGE_PROCESS_CONFIG"
# Nothing of the tester's own settings, but the program that is tested.
CLEAN = ("PATH", "PYTHONPATH", "HOME", "LANG", "SSL_CERT_FILE", MEASURE)


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """An environment of nothing but a data folder, free ports, and these variables."""
    inherited = {name: os.environ[name] for name in CLEAN if name in os.environ}
    return {
        **inherited,
        "DATA_DIR": str(folder),
        "PORT": "0",
        "GRPC_PORT": "0",
        "DRAIN_SECONDS": "0.2",
        "LOG_FORMAT": "json",
        **variables,
    }


def run_program(
    *arguments: str, env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end. The folder it runs in has no `.env`.

    It starts warm, unless coverage has to follow it from the start on, or PYTHONPATH may name
    another copy of the program than the fork server's.
    """
    if MEASURE not in os.environ and "PYTHONPATH" not in env:
        return run_warm(arguments, env=env, cwd=cwd, seconds=COMMAND_SECONDS)
    return subprocess.run(
        [sys.executable, "-m", "myapp", *arguments],
        env=dict(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )


def token_for(email: str, env: Mapping[str, str]) -> str:
    """What `myapp token` prints, without the third of a second that it takes to start."""
    secret = read_or_make(Path(env["DATA_DIR"]) / "identity.key")
    return LocalProvider(secret).issue(email)


class Program:
    """`myapp` in a process of its own, whose log is read as it comes."""

    def __init__(self, *arguments: str, env: Mapping[str, str], cwd: Path) -> None:
        self.log_file = cwd / f"log-{time.monotonic_ns()}"
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "myapp", *arguments],
                env=dict(env),
                cwd=cwd,
                stdout=log,
                stderr=log,
            )

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        complete = self.log_file.read_text().split("\n")[:-1]
        return [json.loads(line) for line in complete if line.startswith("{")]

    def wait_for(self, event: str, *, seconds: float = START_SECONDS) -> dict[str, Any]:
        """The first log line of this event, once it is there."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.lines():
                if line["event"] == event:
                    return line
            assert self.process.poll() is None, self.log_file.read_text()
            time.sleep(0.02)
        raise AssertionError(f"{event!r} was not logged: {self.log_file.read_text()}")

    def address(self, role: str) -> str:
        """Where a role listens, once the program is ready."""
        found: str = self.wait_for("ready")["listening"][role]
        return found

    @property
    def api(self) -> str:
        return f"http://{self.address('api')}"

    def stop(self, *, by: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit status."""
        self.process.send_signal(by)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def running_program(*arguments: str, env: Mapping[str, str], cwd: Path) -> Iterator[Program]:
    """The program, until the block ends; it is killed if it is still there then."""
    program = Program(*arguments, env=env, cwd=cwd)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()


def processes_of(folder: Path) -> list[int]:
    """Every process whose command line or working folder speaks of this data folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            where = str((entry / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in command or where.startswith(str(folder)):
            found.append(int(entry.name))
    return found


def wait_until_alone(folder: Path, *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while left := processes_of(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
