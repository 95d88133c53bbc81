"""`myapp tui` as a process: on a terminal of its own, and without one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import MyApp
from tests.support.program import START_SECONDS, environment
from tests.support.terminal import LEFT, on_a_terminal

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


class TestWithoutATerminal:
    def test_it_says_so_in_one_line(self, folder: Path, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "myapp", "tui"],
            env=environment(folder),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
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
        env = environment(tmp_path / "data", **FIREBASE)
        with on_a_terminal(sys.executable, "-c", SCRIPT, env=env, cwd=tmp_path) as terminal:
            terminal.until(lambda text: "0 processes" in text)
            if by == "q":
                terminal.press("q")
            else:
                terminal.process.send_signal(signal.SIGTERM)
            terminal.until(lambda text: LEFT in text)
            assert terminal.process.wait(START_SECONDS) == 0
        loaded = set((tmp_path / "loaded").read_text().split())
        assert "textual" in loaded
        assert loaded.isdisjoint(NOT_FOR_THE_DASHBOARD)


def test_a_signal_ends_it_where_its_loop_hangs() -> None:
    """As when its terminal is gone, and much is drawn."""
    script = (
        "import time; from myapp.cli.dashboard import leave;"
        "leave(lambda: time.sleep(60), within=0.2)"  # stands still, as the loop does then
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=START_SECONDS)
    assert done.returncode == 1
