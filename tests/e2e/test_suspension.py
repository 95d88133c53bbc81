"""A suspended user's stream ends, and says why."""

import time
from pathlib import Path

import httpx

from tests.e2e.conftest import Start
from tests.support.program import run_program, token_for


def test_the_stream_ends_soon_and_its_last_event_says_why(
    start: Start, env: dict[str, str], folder: Path
) -> None:
    program = start("--role=api")
    program.wait_for("ready")
    granted = run_program("admin", "grant", "root@example.com", env=env, cwd=folder.parent)
    assert granted.returncode == 0, granted.stderr
    emails = ("root@example.com", "ada@example.com")
    root, ada = ({"Authorization": f"Bearer {token_for(email, env)}"} for email in emails)
    with httpx.Client(base_url=program.api, timeout=10) as client:
        user_id = client.get("/auth/me", headers=ada).json()["data"]["id"]
        with client.stream("GET", "/events", headers=ada) as stream:
            lines = stream.iter_lines()
            next(lines)
            change = {"status": "suspended"}
            answer = httpx.patch(f"{program.api}/admin/users/{user_id}", headers=root, json=change)
            assert answer.status_code == 200
            began = time.monotonic()
            types = [line for line in lines if line.startswith("event: ")]
            assert time.monotonic() - began < 3
    assert types[-1] == "event: user.suspended"
