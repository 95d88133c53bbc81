"""Sign-in by tokens that Firebase's own program issues, unlike those that other tests make up."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from myapp.sse.revocation import REVOCATION_SECONDS
from tests.emulator.conftest import Emulator
from tests.support.program import run_program, running_program


@pytest.fixture
def api(env: dict[str, str], tmp_path: Path) -> Iterator[httpx.Client]:
    with (
        running_program("--role=api", env=env, cwd=tmp_path) as program,
        httpx.Client(base_url=program.api, timeout=30) as client,
    ):
        yield client


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.com"


def ask(api: httpx.Client, token: str) -> tuple[int, Any]:
    """The status, and the user or why there is none."""
    answer = api.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json()["data" if answer.is_success else "error"]


class TestSignIn:
    def test_by_a_token_of_the_emulator(
        self, api: httpx.Client, emulator: Emulator, email: str
    ) -> None:
        emulator.sign_up(email)
        status, user = ask(api, emulator.sign_in(email))
        assert (status, user["email"], user["name"]) == (200, email, "Ada")

    def test_every_token_leads_to_the_same_account(
        self, api: httpx.Client, emulator: Emulator, email: str
    ) -> None:
        emulator.sign_up(email)
        _, first = ask(api, emulator.sign_in(email))
        time.sleep(1.1)  # a token of the same second is the same
        _, second = ask(api, emulator.sign_in(email))
        assert first["id"] == second["id"]

    def test_a_token_is_refused_that_was_changed(
        self, api: httpx.Client, emulator: Emulator, email: str
    ) -> None:
        emulator.sign_up(email)
        head, claims, signature = emulator.sign_in(email).split(".")
        assert ask(api, f"{head}.{claims[:-2]}.{signature}")[0] == 401


class TestRefusal:
    """Of tokens that the program has not seen: those that it has are looked at every 5 minutes."""

    def test_a_disabled_user_is_refused(
        self, api: httpx.Client, emulator: Emulator, email: str
    ) -> None:
        uid = emulator.sign_up(email)
        token = emulator.sign_in(email)
        emulator.change(uid, disableUser=True)
        assert ask(api, token) == (401, "The identity is disabled")

    def test_a_deleted_user_is_refused(
        self, api: httpx.Client, emulator: Emulator, email: str
    ) -> None:
        uid = emulator.sign_up(email)
        token = emulator.sign_in(email)
        emulator.delete(uid)
        assert ask(api, token) == (401, "The identity was deleted")

    def test_a_revoked_token_is_refused_and_a_new_one_is_not(
        self, api: httpx.Client, emulator: Emulator, email: str
    ) -> None:
        uid = emulator.sign_up(email)
        token = emulator.sign_in(email)
        time.sleep(1.1)  # times of tokens are whole seconds
        emulator.change(uid, validSince=str(int(time.time())))
        assert ask(api, token) == (401, "The token was revoked")
        assert ask(api, emulator.sign_in(email))[0] == 200


class TestRevocation:
    @pytest.mark.timeout(3 * REVOCATION_SECONDS)
    def test_ends_an_open_stream(self, api: httpx.Client, emulator: Emulator, email: str) -> None:
        uid = emulator.sign_up(email)
        headers = {"Authorization": f"Bearer {emulator.sign_in(email)}"}
        with api.stream("GET", "/events", headers=headers) as answer:
            lines = answer.iter_lines()
            next(lines)
            time.sleep(1.1)  # times of tokens are whole seconds
            emulator.change(uid, validSince=str(int(time.time())))
            began = time.monotonic()
            assert len(list(lines)) > 0
        assert time.monotonic() - began < REVOCATION_SECONDS + 15


class TestSync:
    def test_it_creates_suspends_and_deletes(
        self, api: httpx.Client, emulator: Emulator, env: dict[str, str], tmp_path: Path
    ) -> None:
        emails = [f"{name}-{uuid4().hex}@example.com" for name in ("new", "off", "gone")]
        _, off, gone = [emulator.sign_up(email) for email in emails]
        for email in emails[1:]:
            assert ask(api, emulator.sign_in(email))[0] == 200
        emulator.change(off, disableUser=True)
        emulator.delete(gone)

        done = run_program("sync", env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        changes = [line for line in done.stdout.splitlines() if any(e in line for e in emails)]
        assert sorted(line.partition(":")[0] for line in changes) == [
            "created",
            "deleted",
            "suspended",
        ]
