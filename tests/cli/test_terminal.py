"""What commands show on a terminal, where they show more than plain lines."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.program import environment, run_program

OnTerminal = Callable[..., str]


def run_on_terminal(*arguments: str, env: Mapping[str, str], cwd: Path) -> str:
    """All that a command shows, without colours and moves of the cursor."""
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
    env = environment(folder)
    return lambda *arguments: run_on_terminal(*arguments, env=env, cwd=tmp_path)


def test_a_list_is_a_table_whose_ids_are_whole(
    on_terminal: OnTerminal, folder: Path, tmp_path: Path
) -> None:
    name = "a service whose name is far longer than what is left of the line on a terminal"
    env = environment(folder)
    run_program("apikey", "create", name, "--scope", "accounts:read", env=env, cwd=tmp_path)
    [plain] = run_program("apikey", "list", env=env, cwd=tmp_path).stdout.splitlines()
    shown = on_terminal("apikey", "list")
    assert plain.split("\t")[0] in shown
    assert "\t" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_doctor_sums_up(on_terminal: OnTerminal) -> None:
    shown = on_terminal("doctor")
    assert re.search(r"\d+ ok, \d+ warning", shown), shown
    assert "→" in shown


def test_a_backup_and_a_restore_show_bars(
    on_terminal: OnTerminal, folder: Path, tmp_path: Path
) -> None:
    on_terminal("admin", "grant", "root@example.com")
    shown = on_terminal("backup", "saved")
    assert "database" in shown
    assert "━" in shown
    folder.rename(tmp_path / "former")
    assert "as it was at" in on_terminal("restore", "saved")
    assert "root@example.com" in on_terminal("admin", "list")
