"""`myapp admin`."""

import json
import sqlite3
import time
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest

from tests.cli.conftest import MyApp
from tests.support.program import environment, running_program


def rows(folder: Path, statement: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(folder / "app.db")
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement)]
    finally:
        connection.close()


def quiet(done: CompletedProcess[str]) -> str:
    """What it printed, if all went well."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_grants_lists_and_revokes(myapp: MyApp, folder: Path) -> None:
    assert "ada@example.com" in quiet(myapp("admin", "grant", "ada@example.com"))
    quiet(myapp("admin", "grant", "Bob@Example.com"))
    listed = [line.split("\t")[0] for line in quiet(myapp("admin", "list")).splitlines()]
    assert listed == ["ada@example.com", "Bob@Example.com"]
    quiet(myapp("admin", "revoke", "bob@example.com"))
    assert len(quiet(myapp("admin", "list")).splitlines()) == 1
    records = rows(folder, "SELECT * FROM audit_records ORDER BY id")
    assert [record["action"] for record in records] == [
        "user.created",
        "user.created",
        "user.demoted",
    ]
    assert {record["actor_type"] for record in records} == {"cli"}
    assert all(record["actor_id"] for record in records)
    assert json.loads(records[-1]["before"]) == {"role": "admin"}
    assert json.loads(records[-1]["after"]) == {"role": "user"}


def test_granting_twice_changes_nothing(myapp: MyApp, folder: Path) -> None:
    for _ in range(2):
        quiet(myapp("admin", "grant", "ada@example.com"))
    assert len(rows(folder, "SELECT * FROM audit_records")) == 1
    assert len(rows(folder, "SELECT * FROM users")) == 1


@pytest.mark.parametrize(
    ("email", "complaint"),
    [("ada@example.com", "last active administrator"), ("nobody@example.com", "no administrator")],
)
def test_says_in_one_line_what_it_will_not_do(myapp: MyApp, email: str, complaint: str) -> None:
    quiet(myapp("admin", "grant", "ada@example.com"))
    done = myapp("admin", "revoke", email)
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("email", ["no address", "", "ada\udcff@example.com"])
def test_granting_what_is_no_email_starts_nothing(myapp: MyApp, folder: Path, email: str) -> None:
    done = myapp("admin", "grant", email)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "myapp: email is no email address\n"
    assert not folder.exists()


def test_a_server_that_runs_obeys_within_a_second(
    myapp: MyApp, folder: Path, tmp_path: Path
) -> None:
    quiet(myapp("admin", "grant", "root@example.com"))
    token = quiet(myapp("token", "ada@example.com")).strip()
    headers = {"Authorization": f"Bearer {token}"}
    with running_program("--role=api", env=environment(folder), cwd=tmp_path) as program:
        url = f"{program.api}/admin/users"
        assert httpx.get(url, headers=headers).status_code == 403
        quiet(myapp("admin", "grant", "ada@example.com"))
        wait_for_status(url, headers, 200)
        quiet(myapp("admin", "revoke", "ada@example.com"))
        wait_for_status(url, headers, 403)
        key = myapp("apikey", "create", "prometheus", "--scope", "metrics:read")
        service = {"X-API-Key": key.stdout.strip(), "Via": "1.1 proxy"}
        metrics = f"{program.api}/metrics"
        assert httpx.get(metrics, headers=service).status_code == 200
        myapp("apikey", "revoke", rows(folder, "SELECT id FROM api_keys")[0]["id"])
        wait_for_status(metrics, service, 401)


def wait_for_status(url: str, headers: dict[str, str], status: int) -> None:
    deadline = time.monotonic() + 3  # by itself, without being told, it would see it after 5
    while httpx.get(url, headers=headers).status_code != status:
        assert time.monotonic() < deadline
