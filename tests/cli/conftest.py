"""The command line as a person uses it: a process, its output and its exit status."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.program import environment, run_program

MyApp = Callable[..., CompletedProcess[str]]
OnTerminal = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def myapp(folder: Path, tmp_path: Path) -> MyApp:
    """`myapp("token", "ada@example.com", APP_ENV="production")`."""

    def run(*arguments: str, **variables: str) -> CompletedProcess[str]:
        return run_program(*arguments, env=environment(folder, **variables), cwd=tmp_path)

    return run


def show(*arguments: str, env: Mapping[str, str], cwd: Path) -> str:
    """All that a command shows on a terminal, without colours and moves of the cursor."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "myapp", *arguments],
        env={**env, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    finally:
        os.close(ours)
        process.wait()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


@pytest.fixture
def on_terminal(folder: Path, tmp_path: Path) -> OnTerminal:
    """The same as `myapp`, on a terminal of 80 columns."""

    def run(*arguments: str, **variables: str) -> str:
        return show(*arguments, env=environment(folder, **variables), cwd=tmp_path)

    return run
