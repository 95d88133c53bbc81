"""One part of the system under fire: a process, with all that it has started itself."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

UNNOTICED_SECONDS = 1.0  # how long one that ended by itself may have been gone


@dataclass(frozen=True)
class Outage:
    """When a part did not run. One that was `restarted` may have needed some time after that."""

    began: float
    ended: float
    restarted: bool


@dataclass
class Part:
    """A command that runs until it is killed, and is started again.

    `user` is whom it runs as, where the caller may choose; its output goes to `log`. Times are
    those of time.time(); `gone_since` is None while it runs.
    """

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    user: str | None = None
    is_wanted: bool = False  # whether it is to be started again when it ends
    outages: list[Outage] = field(default_factory=list)
    gone_since: float | None = 0.0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=dict(self.env),
                cwd=self.log.parent,
                stdout=log,
                stderr=log,
                user=self.user,
                start_new_session=True,  # an interrupt from the terminal is the drill's alone
            )
        self.is_wanted = True
        self._end_outage(restarted=True)

    def kill(self) -> None:
        self.is_wanted = False
        self.gone_since = time.time()
        self._send(signal.SIGKILL)
        if self._process:
            self._process.wait()

    def pause(self) -> None:
        self.gone_since = time.time()
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)
        if self.gone_since is not None:
            self._end_outage(restarted=False)

    def ask_to_stop(self) -> None:
        self.is_wanted = False
        self.gone_since = time.time()
        if self._process:
            self._process.terminate()

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None if it had to be killed after so long."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def _end_outage(self, *, restarted: bool) -> None:
        now = time.time()
        began = now - UNNOTICED_SECONDS if self.gone_since is None else self.gone_since
        self.outages.append(Outage(began, now, restarted))
        self.gone_since = None

    def _send(self, number: signal.Signals) -> None:
        if not self._process or self._process.poll() is not None:
            return
        for pid in family(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def family(pid: int) -> list[int]:
    """A process and its descendants: PostgreSQL's have sessions of their own."""
    listed = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid="], text=True)
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [pid]
    for parent in found:  # it grows as we go
        found += [child for child, of in pairs if of == parent]
    return found
