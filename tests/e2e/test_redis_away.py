"""Redis goes away under a running program, and comes back."""

import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Start
from tests.support.program import Program, run_program, token_for
from tests.support.valkey import Valkey

AWAY_SECONDS = 4.0


@pytest.fixture
def env(env: dict[str, str], own_valkey: Valkey) -> dict[str, str]:
    return env | {"REDIS_URL": own_valkey.url}


def bearer(email: str, env: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_for(email, env)}"}


def processor_seconds(program: Program) -> float:
    fields = Path(f"/proc/{program.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def wait_for_status(url: str, status: int, *, seconds: float = 10.0) -> httpx.Response:
    deadline = time.monotonic() + seconds
    while (answer := httpx.get(url)).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    return answer


def test_nobody_is_locked_out_and_everything_comes_back_by_itself(
    start: Start, env: dict[str, str], folder: Path, own_valkey: Valkey
) -> None:
    program = start()
    me = f"{program.api}/auth/me"
    known, unknown = (bearer(f"{name}@example.com", env) for name in ("known", "new"))
    assert httpx.get(me, headers=known).status_code == 200

    own_valkey.kill()
    answer = wait_for_status(f"{program.api}/ready", 503)
    assert answer.json()["checks"]["redis"] == "unavailable"
    before = processor_seconds(program)
    for headers in (known, unknown):
        assert httpx.get(me, headers=headers).status_code == 200
    changed = httpx.put(me, headers=known, json={"name": "Ada"})
    assert changed.status_code == 200
    time.sleep(AWAY_SECONDS)
    assert processor_seconds(program) - before < AWAY_SECONDS / 4  # no busy loop
    assert len(program.lines()) < 60

    own_valkey.start()
    wait_for_status(f"{program.api}/ready", 200)
    assert httpx.get(me, headers=known).json()["data"]["name"] == "Ada"
    queued = run_program("enqueue", "cleanup:expired", env=env, cwd=folder.parent)
    assert queued.returncode == 0, queued.stderr
    program.wait_for("expired data removed")
    assert program.stop() == 0
