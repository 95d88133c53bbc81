"""The commands of README and docs, typed in a fresh folder against the running program."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.support.documents import DOCUMENTS, ROOT, blocks_of
from tests.support.program import Program

SECONDS = 60
# A refusal fails, which curl by itself does not mind; the venv and the port are the test's own.
PRELUDE = """
set -euo pipefail
curl() { command curl --fail-with-body --silent --show-error --max-time 20 "$@"; }
"""

RUNNABLE = {
    str(document.relative_to(ROOT)): blocks
    for document in DOCUMENTS
    if (blocks := [block.text for block in blocks_of(document) if not block.reason])
}


@pytest.fixture
def program(start: Start, folder: Path) -> Iterator[Program]:
    """The program on the folder that the commands take by themselves."""
    program = start()
    program.wait_for("ready")
    yield program
    assert program.stop() == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path / ".myapp"


def type_in(blocks: list[str], program: Program, env: dict[str, str], folder: Path) -> str:
    """Types the commands into one shell; returns what it shows, when it has ended well."""
    script = (PRELUDE + "\n".join(blocks)).replace("http://127.0.0.1:8000", program.api)
    screen = folder.parent / "screen"
    with screen.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            env={name: value for name, value in env.items() if name != "DATA_DIR"},
            cwd=folder.parent,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            shell.wait(SECONDS)
        finally:
            with suppress(ProcessLookupError):  # what it left in the background, a stream for one
                os.killpg(shell.pid, signal.SIGKILL)
    shown = screen.read_text()
    assert shell.returncode == 0, shown
    return shown


@pytest.mark.timeout(2 * SECONDS)
def test_they_do_what_they_say(program: Program, env: dict[str, str], folder: Path) -> None:
    assert "README.md" in RUNNABLE
    shown = {name: type_in(blocks, program, env, folder) for name, blocks in RUNNABLE.items()}
    readme = shown["README.md"]
    assert '"status": "ready"' in readme
    assert '"name":"Ada Lovelace"' in readme
    assert '"title":"Hello"' in readme
    assert "notification:send" in readme
