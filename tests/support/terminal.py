"""A program on a terminal of its own: what it draws, and keys pressed."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 30.0  # a busy machine is slow
LINES, COLUMNS = 24, (80, 81)
SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[^\[])")
LEFT = "\x1b[?1049l"  # what was there before is shown again


class Terminal:
    """A pseudo-terminal, and a process on it."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._ours, self._theirs = pty.openpty()
        self._sizes = 0
        self.resize()
        self.process = subprocess.Popen(
            command,
            env={**env, "TERM": "xterm-256color"},
            cwd=cwd,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
        )

    @property
    def modes(self) -> list[Any]:
        """How it treats what is typed, such as whether that is shown."""
        return termios.tcgetattr(self._theirs)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def resize(self) -> None:
        """Another width than before."""
        size = struct.pack("HHHH", LINES, COLUMNS[self._sizes % 2], 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)
        self._sizes += 1

    def until(self, done: Callable[[str], Any]) -> str:
        """All that comes from now on, as soon as `done` says yes to it."""
        seen, deadline = b"", time.monotonic() + PATIENCE_SECONDS
        while not done(text := seen.decode(errors="replace")):
            assert time.monotonic() < deadline, text
            seen += self._read()
        return text

    def until_screen(self, done: Callable[[str], Any], *, last: str) -> str:
        """All that is on the screen, as soon as `done` says yes to it; `last` is drawn last.

        With another size everything is drawn anew, so that nothing of before is in the text.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            while self._read():
                pass
            self.resize()
            self.process.send_signal(signal.SIGWINCH)  # it is not the terminal's own session
            screen = SEQUENCE.sub("", self.until(lambda text: last in SEQUENCE.sub("", text)))
            if done(screen):
                return screen
            assert time.monotonic() < deadline, screen

    def close(self) -> None:
        """Ends the process, if it has not ended yet."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self) -> bytes:
        return os.read(self._ours, 65_536) if select.select([self._ours], [], [], 0.1)[0] else b""


@contextmanager
def on_a_terminal(*command: str, env: Mapping[str, str], cwd: Path) -> Iterator[Terminal]:
    """The command on a terminal, until the block ends."""
    terminal = Terminal(command, env=env, cwd=cwd)
    try:
        yield terminal
    finally:
        terminal.close()
