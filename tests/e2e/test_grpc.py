"""The account service of the real program: grpcurl, and its end in the middle of calls."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.grpc.reflected import running_driver
from tests.support.program import run_program, token_for

CLIENTS = 20
LOAD_SECONDS = 1.5
SERVICE = "/myapp.account.v1.AccountService/"
SCOPES = ("--scope", "accounts:read", "--scope", "accounts:write")


def test_a_stop_in_the_middle_of_calls_fails_none_that_had_begun(
    start: Start, env: dict[str, str], tmp_path: Path
) -> None:
    program = start("--role=grpc", DRAIN_SECONDS="0.5")
    key = last_line("apikey", "create", "caller", *SCOPES, env=env, cwd=tmp_path)
    token = token_for("ada@example.com", env)
    call: dict[str, Any] = {
        "address": program.address("grpc"),
        "metadata": [("x-api-key", key)],
        "timeout": 10,
    }
    with running_driver() as driver:
        number = driver.do("begin", times=1, method="VerifyToken", request={"token": token}, **call)
        ada = driver.do("finish", number=number)[0]["answer"]["account"]["id"]
        watch = driver.do("watch", method="WatchAccounts", request={}, **call)
        reads, writes = (
            ("GetAccount", {"id": ada}),
            ("UpdateAccountStatus", {"id": ada, "status": 1}),
        )
        driver.do("load", clients=CLIENTS, calls=[reads, writes], **call)
        time.sleep(LOAD_SECONDS)
        program.process.send_signal(signal.SIGTERM)
        ends = driver.do("unload")
        assert driver.do("end", number=watch, seconds=20)["code"] == "UNAVAILABLE"
        assert program.process.wait(30) == 0
    # What came to the server was answered, and each of these answers has arrived; what failed had
    # not come to it.
    lines = [line for line in program.lines() if line["event"] == "call"]
    unary = [line for line in lines if line["method"] in (SERVICE + reads[0], SERVICE + writes[0])]
    assert {line["status"] for line in unary} == {"OK"}
    assert len(unary) == sum(end["answered"] for end in ends) > CLIENTS
    assert {end["code"] for end in ends} == {"UNAVAILABLE"}


def last_line(*arguments: str, env: dict[str, str], cwd: Path) -> str:
    done = run_program(*arguments, env=env, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_grpcurl_finds_its_way_by_reflection(
    start: Start, env: dict[str, str], tmp_path: Path
) -> None:
    grpcurl = shutil.which("grpcurl")
    if grpcurl is None:
        # It is in no package index that a fresh clone may ask; grpcio stands in the other tests.
        pytest.skip("there is no grpcurl here")
    address = start("--role=grpc").address("grpc")
    key = last_line("apikey", "create", "caller", *SCOPES, env=env, cwd=tmp_path)

    def call(*arguments: str, flags: tuple[str, ...] = ()) -> str:
        command = [grpcurl, "-plaintext", "-max-time", "10", *flags, address, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        return done.stdout + done.stderr

    as_caller = ("-H", f"x-api-key: {key}")
    service = SERVICE.strip("/")
    assert call("list").split() == ["grpc.health.v1.Health", service]
    assert "rpc WatchAccounts" in call("describe", service)
    assert "SERVING" in call("grpc.health.v1.Health/Check")
    assert "Code: Unauthenticated" in call(f"{service}/ListAccounts")
    assert json.loads(call(f"{service}/ListAccounts", flags=as_caller)) == {}
    wrong = call(f"{service}/ListAccounts", flags=(*as_caller, "-d", '{"filter": "role=boss"}'))
    assert "Code: InvalidArgument" in wrong
    assert "unknown role" in wrong  # in its details, which are of a type that reflection tells of
