"""A window of tmux: keys typed into it, and what stands on it."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_SECONDS = 30.0  # a busy machine is slow


class Window:
    """One window with a shell, of a tmux server of its own."""

    def __init__(self, tmux: str, *, env: Mapping[str, str], cwd: Path) -> None:
        self._tmux = (tmux, "-S", str(cwd / "tmux"), "-f", "/dev/null")
        self._env = {**env, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PS1": "$ "}
        self._cwd = cwd

    def command(self, *arguments: str) -> str:
        """One of tmux's own commands, and what it says."""
        done = subprocess.run(
            [*self._tmux, *arguments],
            env=self._env,
            cwd=self._cwd,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """By tmux's names, such as `Escape`."""
        self.command("send-keys", *keys)

    def type(self, text: str) -> None:
        self.command("send-keys", "-l", text)

    def resize(self, columns: int, lines: int) -> None:
        self.command("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self, *options: str) -> str:
        return self.command("capture-pane", "-p", *options)

    def until(self, *words: str) -> str:
        """The screen, as soon as all of these are on it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(word in (screen := self.screen()) for word in words):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)  # tmux cannot tell when a screen has changed
        return screen


@contextmanager
def in_tmux(
    *, env: Mapping[str, str], cwd: Path, columns: int = 80, lines: int = 24
) -> Iterator[Window]:
    """A window of this size. Where there is no tmux, the test is skipped."""
    tmux = shutil.which("tmux")
    if tmux is None:
        # `make test` needs Python and make, nothing else; .ci/run installs it, so that CI tries it.
        pytest.skip("there is no tmux here")
    window = Window(tmux, env=env, cwd=cwd)
    window.command("new-session", "-d", "-x", str(columns), "-y", str(lines), "/bin/sh")
    try:
        yield window
    finally:
        window.command("kill-server")
