"""`myapp tui` as a process: on a terminal of its own, and without one."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import MyApp
from tests.support.program import START_SECONDS, environment

NOT_FOR_THE_DASHBOARD = {"quart", "firebase_admin", "boto3", "botocore", "aioboto3", "grpclib"}
SCRIPT = """
import sys, pathlib
from myapp.cli import run_command_line
status = run_command_line(["tui"])
loaded = {name.partition(".")[0] for name in sys.modules}
pathlib.Path("loaded").write_text(" ".join(sorted(loaded)))
sys.exit(status)
"""
FIREBASE = {"FIREBASE_PROJECT_ID": "demo", "STORAGE_URL": "s3://bucket/prefix"}


def read_until(terminal: int, text: bytes) -> None:
    seen = b""
    deadline = time.monotonic() + START_SECONDS
    while text not in seen:
        assert time.monotonic() < deadline, seen.decode(errors="replace")
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65_536)


class TestWithoutATerminal:
    def test_it_says_so_in_one_line(self, myapp: MyApp) -> None:
        done = myapp("tui")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines() == [
            "myapp: tui: this is no terminal; run it where somebody looks at it"
        ]

    def test_a_wrong_flag_is_named(self, myapp: MyApp) -> None:
        done = myapp("tui", "--refresh=0")
        assert done.returncode == 2
        assert "--refresh" in done.stderr


class TestOnATerminal:
    @pytest.mark.parametrize("by", ["q", "SIGTERM"])
    def test_it_comes_up_light_and_goes_with_status_zero(self, tmp_path: Path, by: str) -> None:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={**environment(tmp_path / "data", **FIREBASE), "TERM": "xterm-256color"},
            cwd=tmp_path,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        try:
            read_until(ours, b"0 jobs")
            if by == "q":
                os.write(ours, b"q")
            else:
                process.send_signal(signal.SIGTERM)
            read_until(ours, b"\x1b[?1049l")  # the terminal is as it was
            assert process.wait(START_SECONDS) == 0
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        loaded = set((tmp_path / "loaded").read_text().split())
        assert "textual" in loaded
        assert loaded.isdisjoint(NOT_FOR_THE_DASHBOARD)
