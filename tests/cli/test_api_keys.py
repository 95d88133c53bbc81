"""`myapp apikey`."""

from pathlib import Path

import pytest

from myapp.identity.key_format import parse_key
from tests.cli.conftest import MyApp
from tests.cli.test_admin import rows

SCOPES = ("--scope", "metrics:read", "--scope", "accounts:read")


def test_the_key_stands_alone_on_standard_output(myapp: MyApp, folder: Path) -> None:
    done = myapp("apikey", "create", "billing", *SCOPES, "--expires-in-days", "30")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    parts = parse_key(done.stdout.strip())
    [row] = rows(folder, "SELECT * FROM api_keys")
    assert (row["public_id"], row["secret_hash"]) == (parts.public_id, parts.secret_hash)
    assert row["id"] in done.stderr
    assert done.stdout.strip() not in done.stderr


def test_lists_rotates_and_revokes(myapp: MyApp, folder: Path) -> None:
    first = myapp("apikey", "create", "billing", *SCOPES).stdout
    [row] = rows(folder, "SELECT * FROM api_keys")
    second = myapp("apikey", "rotate", row["id"]).stdout
    assert parse_key(first.strip()).public_id == parse_key(second.strip()).public_id
    assert first != second
    line = myapp("apikey", "list").stdout.rstrip("\n").split("\t")
    assert line[:4] == [
        row["id"],
        "billing",
        f"myapp_{row['public_id']}",
        "accounts:read,metrics:read",
    ]
    assert line[4] == "good"
    done = myapp("apikey", "revoke", row["id"])
    assert (done.returncode, done.stdout) == (0, "")
    assert "\trevoked " in myapp("apikey", "list").stdout
    actions = [
        record["action"] for record in rows(folder, "SELECT * FROM audit_records ORDER BY id")
    ]
    assert actions == ["api_key.created", "api_key.rotated", "api_key.revoked"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "billing"],
        ["create", "billing", "--scope", "everything"],
        ["create", "billing", *SCOPES, "--expires-in-days", "0"],
        ["create", "", *SCOPES],
        ["revoke", "billing"],
    ],
)
def test_a_bad_argument_starts_nothing(myapp: MyApp, folder: Path, arguments: list[str]) -> None:
    done = myapp("apikey", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert not (folder / "app.db").exists()


def test_an_unknown_id_is_said_in_one_line(myapp: MyApp) -> None:
    done = myapp("apikey", "revoke", "00000000-0000-7000-8000-000000000000")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
