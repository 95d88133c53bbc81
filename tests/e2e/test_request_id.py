"""One request id through HTTP, event, job and gRPC in the real program's log, and no secret."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from grpclib.client import Channel

from myapp.grpc.generated.account_grpc import AccountServiceStub
from myapp.grpc.generated.account_pb2 import ACCOUNT_STATUS_SUSPENDED, UpdateAccountStatusRequest
from tests.e2e.conftest import Start
from tests.support.program import Program, run_program

SECONDS = 20.0
SECRET_KEY = "a-secret-key-that-nobody-may-read-in-a-log"
DEVICE = "a-device-token-that-nobody-may-read"
SCOPES = ("notifications:send", "accounts:read", "accounts:write")


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    """Everything that it can say is said."""
    return env | {"LOG_LEVEL": "debug", "SECRET_KEY": SECRET_KEY, "PUSH_PROVIDER": "log"}


@pytest.fixture
def myapp(env: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        done = run_program(*arguments, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


async def suspend(address: str, key: str, user_id: str, request_id: str) -> None:
    host, _, port = address.rpartition(":")
    async with Channel(host, int(port)) as channel:
        await AccountServiceStub(channel).UpdateAccountStatus(
            UpdateAccountStatusRequest(id=user_id, status=ACCOUNT_STATUS_SUSPENDED),
            metadata={"x-api-key": key, "x-request-id": request_id},
            timeout=SECONDS,
        )


def lines_of(program: Program, request_id: str, *events: str) -> dict[str, dict[str, Any]]:
    """What was logged with this id, by event, once there is a line of each of these."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        lines = [line for line in program.lines() if line.get("request_id") == request_id]
        found = {line["event"]: line for line in lines}
        if found.keys() >= set(events):
            return found
        time.sleep(0.05)
    raise AssertionError(program.log_file.read_text())


def test_one_id_leads_from_a_request_to_all_that_came_of_it(
    start: Start, myapp: Callable[..., str]
) -> None:
    program = start()
    api = program.api
    token = myapp("token", "ada@example.com")
    key = myapp("apikey", "create", "sender", *(f"--scope={scope}" for scope in SCOPES))
    headers = {"Authorization": f"Bearer {token}"}
    ada = httpx.get(f"{api}/auth/me", headers=headers).json()["data"]["id"]
    device = {"token": DEVICE, "platform": "ios"}
    assert httpx.post(f"{api}/devices", headers=headers, json=device).status_code == 201
    ticket = httpx.post(f"{api}/events/ticket", headers=headers).json()["data"]["ticket"]
    with httpx.stream("GET", f"{api}/events?ticket={ticket}") as stream:
        assert stream.status_code == 200

    body = {"user_id": ada, "title": "Hello", "body": "It works"}
    sent = {"X-API-Key": key, "X-Request-ID": "one-request"}
    assert httpx.post(f"{api}/notifications", headers=sent, json=body).status_code == 202
    jobs = ("job started", "push", "job complete")
    found = lines_of(program, "one-request", "request", "event published", *jobs)
    assert found["request"]["path"] == "/notifications"
    assert found["event published"]["type"] == "notification.created"
    assert found["event published"]["user_id"] == ada
    assert {found[event]["task"] for event in jobs} == {"notification:send"}

    asyncio.run(suspend(program.address("grpc"), key, ada, "one-call"))
    found = lines_of(program, "one-call", "event published", "call")
    assert found["event published"]["type"].startswith("user.")

    assert program.stop() == 0
    log = program.log_file.read_text()
    for secret in (token, key, ticket, SECRET_KEY, DEVICE):
        assert secret not in log
