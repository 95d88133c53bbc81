"""A data folder of the first release (see make_folder.py) under the program of today."""

import tarfile
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.outside import Outside, wait_until
from tests.support.program import environment, run_program, running_program

FOLDER = Path(__file__).with_name("folder.tar.gz")
ADA, ROOT, BOB = (str(UUID(int=number)) for number in (1, 2, 3))
FIRST_NOTIFICATION, SECOND_NOTIFICATION, FILE = (str(UUID(int=number)) for number in (6, 7, 8))


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    with tarfile.open(FOLDER) as packed:
        # As the argument `filter`, which came with Python 3.11.4, and which 3.13 warns without.
        packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        packed.extractall(tmp_path)
    return environment(tmp_path / "data")


def test_it_opens_with_all_that_is_in_it(env: dict[str, str], tmp_path: Path) -> None:
    migrated = run_program("migrate", env=env, cwd=tmp_path)
    assert migrated.returncode == 0, migrated.stderr
    # Without a scheduler: its clean-up would remove by and by what has grown old.
    with running_program("--role=api,worker", env=env, cwd=tmp_path) as program:
        outside = Outside(program, env, tmp_path)
        with outside.api:
            check(outside)


def check(outside: Outside) -> None:
    ada, root = sign_in(outside, "ada@example.com"), sign_in(outside, "root@example.com")
    me = outside.api.get("/auth/me", headers=ada).json()["data"]
    assert (me["id"], me["name"], me["phone"]) == (ADA, "Ada É", "+442071234567")
    assert outside.api.get("/auth/me", headers=root).json()["data"]["id"] == ROOT
    check_refusals(outside)
    check_belongings(outside, ada)
    check_administration(outside, root)
    check_unfinished_work(outside)


def sign_in(outside: Outside, email: str) -> dict[str, str]:
    """By a token of the folder's own key, as `myapp token` gives it."""
    token = outside.run("token", email).stdout.strip()
    return {"Authorization": f"Bearer {token}"}


def check_refusals(outside: Outside) -> None:
    """Who was suspended or deleted then, is so now."""
    for email, code in (("bob", "account_suspended"), ("carl", "account_deleted")):
        answer = outside.api.get("/auth/me", headers=sign_in(outside, f"{email}@example.com"))
        assert (answer.status_code, answer.json()["code"]) == (403, code)


def check_belongings(outside: Outside, ada: dict[str, str]) -> None:
    inbox = outside.api.get("/notifications", headers=ada).json()["data"]
    assert {each["id"]: (each["title"], each["body"], each["data"]) for each in inbox} == {
        FIRST_NOTIFICATION: ("Number 6", "Ünread", {"a": "b"}),
        SECOND_NOTIFICATION: ("Number 7", "Ünread", {"a": "b"}),
    }
    assert len(outside.api.get("/devices", headers=ada).json()["data"]) == 1
    content = outside.api.get(f"/files/{FILE}/content", headers=ada, follow_redirects=True)
    assert content.content == b"written by the first release\n"


def check_administration(outside: Outside, root: dict[str, str]) -> None:
    found = outside.api.get("/admin/users?q=ada é", headers=root).json()["data"]
    assert [user["id"] for user in found] == [ADA]
    [key] = outside.api.get("/admin/api-keys", headers=root).json()["data"]
    assert (key["name"], key["scopes"]) == ("mailer", ["notifications:send"])
    log = f"/admin/audit-log?target_id={BOB}"
    [record] = outside.api.get(log, headers=root).json()["data"]
    assert (record["action"], record["after"]) == ("user.suspend", {"status": "suspended"})


def check_unfinished_work(outside: Outside) -> None:
    """One push was in the outbox and one in the queue: both are done now."""

    def pushed() -> set[str]:
        lines = outside.program.lines()
        return {line["notification"] for line in lines if line["event"] == "push"}

    wait_until(lambda: pushed() == {FIRST_NOTIFICATION, SECOND_NOTIFICATION})
