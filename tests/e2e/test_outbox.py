"""Notifications through the real program, with processes that die and a Redis that goes away."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Start
from tests.support.program import run_program
from tests.support.valkey import Valkey

AWAY_SECONDS = 5.0
PUSH = {"PUSH_PROVIDER": "log"}


@pytest.fixture
def env(env: dict[str, str], own_valkey: Valkey) -> dict[str, str]:
    return env | {"REDIS_URL": own_valkey.url} | PUSH


@pytest.fixture
def myapp(env: dict[str, str], folder: Path) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        done = run_program(*arguments, env=env, cwd=folder.parent)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


class Sender:
    """A service, and the one user whom it writes to."""

    def __init__(self, api: str, myapp: Callable[..., str]) -> None:
        self._api = api
        self._headers = {"Authorization": f"Bearer {myapp('token', 'ada@example.com')}"}
        self._key = myapp("apikey", "create", "test", "--scope", "notifications:send")
        me = httpx.get(f"{api}/auth/me", headers=self._headers)
        self._user_id = me.json()["data"]["id"]
        device = {"token": "a-token", "platform": "ios"}
        httpx.post(f"{api}/devices", headers=self._headers, json=device)

    def send(self, count: int) -> set[str]:
        ids: set[str] = set()
        for number in range(count):
            body = {"user_id": self._user_id, "title": f"n{number}", "body": "b"}
            answer = httpx.post(
                f"{self._api}/notifications", headers={"X-API-Key": self._key}, json=body
            )
            assert answer.status_code == 202, answer.text
            ids.update(answer.json()["data"]["ids"])
        return ids

    def inbox(self) -> int:
        answer = httpx.get(f"{self._api}/notifications", headers=self._headers)
        total: int = answer.json()["meta"]["total"]
        return total


def wait_until(check: Callable[[], bool], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_accepted_while_redis_is_away_means_delivered_afterwards(
    start: Start, myapp: Callable[..., str], own_valkey: Valkey
) -> None:
    program = start()
    sender = Sender(program.api, myapp)
    own_valkey.kill()
    lines = len(program.lines())
    ids = sender.send(10)
    time.sleep(AWAY_SECONDS)
    quiet = [line for line in program.lines()[lines:] if line["event"] != "notification accepted"]
    assert len(quiet) < 60
    own_valkey.start()

    def pushed() -> set[str]:
        return {line["notification"] for line in program.lines() if line["event"] == "push"}

    wait_until(lambda: pushed() == ids)
    assert sender.inbox() == 10
    assert program.stop() == 0


def test_a_worker_that_is_killed_leaves_its_jobs_to_the_next(
    start: Start, myapp: Callable[..., str]
) -> None:
    """Between relay and worker: the jobs lie in the queue while nobody serves it."""
    api = start("--role=api")
    sender = Sender(api.api, myapp)
    worker = start("--role=worker")
    worker.wait_for("ready")
    worker.process.kill()
    ids = sender.send(5)
    assert sender.inbox() == 5
    successor = start("--role=worker")

    def pushed() -> list[str]:
        return [line["notification"] for line in successor.lines() if line["event"] == "push"]

    wait_until(lambda: len(pushed()) >= len(ids))
    assert sorted(pushed()) == sorted(ids)
