"""Two processes of one installation."""

import time

import httpx

from tests.e2e.conftest import Start
from tests.support.program import token_for


def test_a_change_in_one_is_seen_in_the_other_within_a_second(
    start: Start, env: dict[str, str]
) -> None:
    first, second = start("--role=api"), start("--role=api")
    token = token_for("ada@example.com", env)
    headers = {"Authorization": f"Bearer {token}"}
    for program in (first, second):
        assert httpx.get(f"{program.api}/auth/me", headers=headers).status_code == 200
    assert httpx.delete(f"{first.api}/auth/me", headers=headers).status_code == 200
    deadline = time.monotonic() + 3  # by itself, without being told, it would see it after 5
    while (answer := httpx.get(f"{second.api}/auth/me", headers=headers)).status_code == 200:
        assert time.monotonic() < deadline
    assert answer.json()["code"] == "account_deleted"


def test_a_process_without_the_api_never_loads_quart(start: Start) -> None:
    """Whoever serves no HTTP API does not pay for it; nor for Firebase, unless it is set up."""
    program = start("--role=worker,scheduler,grpc", HEALTH_PORT="0", PYTHONPROFILEIMPORTTIME="1")
    health = program.address("health")
    assert httpx.get(f"http://{health}/ready").json()["status"] == "ready"
    lines = program.log_file.read_text().splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert {"uvloop", "saq", "grpclib"} <= loaded
    assert loaded.isdisjoint({"quart", "flask", "firebase_admin", "textual", "aioboto3"})
