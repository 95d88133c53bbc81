"""The program with no configuration at all, as a newcomer starts it."""

import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Start
from tests.support.outside import wait_until
from tests.support.program import Program, run_program, wait_until_alone


def sign_in(program: Program, env: dict[str, str], folder: Path) -> dict[str, str]:
    """Headers of a user, from the command that the README names."""
    token = run_program("token", "ada@example.com", env=env, cwd=folder.parent).stdout.strip()
    return {"Authorization": f"Bearer {token}"}


class TestStart:
    def test_runs_every_role_and_signs_a_newcomer_in(
        self, start: Start, env: dict[str, str], folder: Path
    ) -> None:
        program = start()
        assert program.wait_for("ready")["roles"] == ["api", "worker", "scheduler", "grpc"]
        ready = httpx.get(f"{program.api}/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        me = httpx.get(f"{program.api}/auth/me", headers=sign_in(program, env, folder))
        assert me.json()["data"]["email"] == "ada@example.com"

    def test_keeps_everything_to_its_owner(self, start: Start, folder: Path) -> None:
        start().wait_for("ready")
        files = [path for path in folder.rglob("*") if not path.is_symlink()]
        assert [path for path in files if path.stat().st_mode & 0o077] == []

    def test_a_second_process_joins(self, start: Start, env: dict[str, str], folder: Path) -> None:
        """The worker runs what the other one's command queued."""
        api = start("--role=api")
        api.wait_for("ready")
        worker = start("--role=worker")
        worker.wait_for("ready")
        queued = run_program("enqueue", "cleanup:expired", env=env, cwd=folder.parent)
        assert queued.returncode == 0, queued.stderr
        assert worker.wait_for("expired data removed")["job"] == queued.stdout.strip()


class TestStop:
    @pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
    def test_by_a_signal_is_clean(self, start: Start, folder: Path, by: signal.Signals) -> None:
        program = start()
        program.wait_for("ready")
        assert program.stop(by=by) == 0
        assert program.lines()[-1]["event"] == "stopped"
        wait_until_alone(folder)

    def test_by_a_second_signal_is_at_once(self, start: Start) -> None:
        program = start(DRAIN_SECONDS="20")
        program.wait_for("ready")
        program.process.send_signal(signal.SIGTERM)
        program.wait_for("stopping")
        began = time.monotonic()
        assert program.stop() == 128 + signal.SIGTERM
        assert time.monotonic() - began < 15

    def test_shows_while_it_drains(self, start: Start) -> None:
        program = start(DRAIN_SECONDS="20")
        api = program.api
        program.process.send_signal(signal.SIGTERM)
        program.wait_for("stopping")
        ready = wait_until(
            lambda: (found := httpx.get(f"{api}/ready")).status_code == 503 and found
        )
        assert ready.headers["Connection"] == "close"
        assert httpx.get(f"{api}/health").status_code == 200

    def test_by_a_kill_leaves_nothing_running_and_loses_nothing(
        self, start: Start, env: dict[str, str], folder: Path
    ) -> None:
        program = start()
        headers = sign_in(program, env, folder)
        change = httpx.put(f"{program.api}/auth/me", headers=headers, json={"name": "Ada"})
        program.stop(by=signal.SIGKILL)
        wait_until_alone(folder)
        again = start()
        me = httpx.get(f"{again.api}/auth/me", headers=headers).json()["data"]
        assert me == change.json()["data"]
