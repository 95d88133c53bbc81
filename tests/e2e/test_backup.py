"""A backup that is taken while people write, and the program that goes on from it."""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import pytest
from redis.asyncio import Redis

from myapp.cleanup import CLEANUP_EXPIRED
from myapp.embedded.watcher import socket_path
from myapp.queue.client import JobQueue
from myapp.queue.tasks import Nothing
from tests.e2e.conftest import Start
from tests.e2e.test_outbox import wait_until
from tests.support.program import Program, run_program

ENOUGH = 15  # of each kind, before the backup begins
WAIT_SECONDS = 60.0


@dataclass
class Accepted:
    """What the program has said yes to."""

    notifications: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)  # SHA-256 by id

    def copy(self) -> "Accepted":
        return Accepted(set(self.notifications), dict(self.files))


class Load:
    """A service that notifies and a user who stores files and removes every third."""

    def __init__(self, api: str, user: dict[str, str], key: dict[str, str]) -> None:
        self.accepted = Accepted()
        self.failures: list[str] = []
        self._api, self._user, self._key = api, user, key
        me = httpx.get(f"{api}/auth/me", headers=user).json()["data"]
        self._user_id = me["id"]
        self._stop = threading.Event()
        works = (self._notify, self._store)
        self._threads = [threading.Thread(target=self._repeat, args=(work,)) for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work: Callable[[httpx.Client, int], None]) -> None:
        with httpx.Client(base_url=self._api, timeout=WAIT_SECONDS) as client:
            number = 0
            while not self._stop.is_set():
                try:
                    work(client, number)
                except (httpx.HTTPError, KeyError) as error:
                    self.failures.append(repr(error))
                number += 1

    def _notify(self, client: httpx.Client, number: int) -> None:
        body = {"user_id": self._user_id, "title": f"n{number}", "body": "b"}
        answer = client.post("/notifications", headers=self._key, json=body).raise_for_status()
        self.accepted.notifications.update(answer.json()["data"]["ids"])

    def _store(self, client: httpx.Client, number: int) -> None:
        content = f"file {number}".encode() * 5000
        answer = client.post("/files", headers=self._user, files={"file": ("a.txt", content)})
        file_id = answer.raise_for_status().json()["data"]["id"]
        if number % 3:
            self.accepted.files[file_id] = hashlib.sha256(content).hexdigest()
        else:
            client.delete(f"/files/{file_id}", headers=self._user).raise_for_status()


def all_pages(api: str, path: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in range(1, 1000):
        url = f"{api}{path}{'&' if '?' in path else '?'}per_page=100&page={page}"
        answer = httpx.get(url, headers=headers, timeout=WAIT_SECONDS).raise_for_status().json()
        found += answer["data"]
        if len(found) >= answer["meta"]["total"]:
            return found
    raise AssertionError("pages never end")


def schedule_job(folder: Path) -> str:
    """One that is due in an hour."""

    async def enqueue() -> str:
        url = f"unix://{quote(str(socket_path(folder / 'valkey')))}"
        async with Redis.from_url(url, decode_responses=True) as redis:
            return await JobQueue(redis).enqueue(CLEANUP_EXPIRED, Nothing(), delay=3600)

    return asyncio.run(enqueue())


def pushed(*programs: Program) -> set[str]:
    return {
        line["notification"]
        for program in programs
        for line in program.lines()
        if line["event"] == "push"
    }


@pytest.mark.timeout(240)  # two programs and nine commands, on a machine that may be busy
def test_a_backup_under_load_restores_everything_that_was_accepted_before(
    start: Start, env: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    def myapp(*arguments: str, **variables: str) -> str:
        done = run_program(*arguments, env={**env, **variables}, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    myapp("admin", "grant", "root@example.com")
    key = {"X-API-Key": myapp("apikey", "create", "test", "--scope", "notifications:send")}
    tokens = myapp("token", "root@example.com", "ada@example.com").splitlines()
    root, ada = ({"Authorization": f"Bearer {token}"} for token in tokens)
    limits = {"RATE_LIMIT_UPLOADS": "off", "PUSH_PROVIDER": "log"}
    first = start(**limits)
    device = {"token": "a-token", "platform": "ios"}
    httpx.post(f"{first.api}/devices", headers=ada, json=device).raise_for_status()
    httpx.post(f"{first.api}/admin/queues/low/pause", headers=root).raise_for_status()
    scheduled, queued = schedule_job(folder), myapp("enqueue", "cleanup:expired")

    with Load(first.api, ada, key) as load:
        wait_until(
            lambda: min(len(load.accepted.notifications), len(load.accepted.files)) >= ENOUGH,
            seconds=WAIT_SECONDS,
        )
        before = load.accepted.copy()
        myapp("backup", "backup.tar")
    assert load.failures == []
    users = {user["id"]: user for user in all_pages(first.api, "/admin/users", root)}
    assert first.stop() == 0

    back = str(tmp_path / "back")
    myapp("restore", "backup.tar", DATA_DIR=back)
    second = start(DATA_DIR=back, **limits)
    api = second.api
    assert {user["id"]: user for user in all_pages(api, "/admin/users", root)} == users
    inbox = {each["id"] for each in all_pages(api, "/notifications", ada)}
    assert before.notifications - inbox == set()
    files = {each["id"]: each for each in all_pages(api, "/files", ada)}
    assert before.files.keys() - files.keys() == set()
    for file_id in files:  # also those that came, or went, while the backup was taken
        content = httpx.get(f"{api}/files/{file_id}/content", headers=ada, follow_redirects=True)
        assert content.status_code == 200
        assert hashlib.sha256(content.content).hexdigest() == files[file_id]["sha256"]
    jobs = {each["key"]: each["status"] for each in all_pages(api, "/admin/jobs?queue=low", root)}
    assert (jobs[scheduled], jobs[queued]) == ("scheduled", "queued")
    httpx.post(f"{api}/admin/queues/low/resume", headers=root).raise_for_status()
    wait_until(lambda: before.notifications <= pushed(first, second), seconds=WAIT_SECONDS)
    second.wait_for("expired data removed", seconds=WAIT_SECONDS)
    assert second.stop() == 0
