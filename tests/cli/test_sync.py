"""`myapp sync`."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import MyApp, OnTerminal
from tests.support.firebase import Firebase


@pytest.fixture
def firebase() -> Iterator[Firebase]:
    server = Firebase()
    server.answer = {
        "users": [
            {"localId": "ada", "email": "ada@example.com", "emailVerified": True},
            {"localId": "bob", "displayName": "[Bob]", "disabled": True},
        ]
    }
    yield server
    server.close()


@pytest.fixture
def variables(firebase: Firebase) -> dict[str, str]:
    return {"FIREBASE_PROJECT_ID": "demo", "FIREBASE_AUTH_EMULATOR_HOST": firebase.host}


def test_says_that_the_local_provider_has_no_list(myapp: MyApp) -> None:
    done = myapp("sync")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "myapp: The local identity provider keeps no list of users\n"


def test_names_every_change_and_sums_up(myapp: MyApp, variables: dict[str, str]) -> None:
    """A dry run changes nothing: the next one finds the same. A second one finds no more to do."""
    changes = ["created: ada@example.com ada", "created: (no email) bob"]
    dry = myapp("sync", "--dry-run", **variables)
    assert dry.stdout.splitlines() == [*changes, "2 seen; would be: 2 created"]
    assert myapp("sync", **variables).stdout.splitlines() == [*changes, "2 seen; 2 created"]
    assert myapp("sync", **variables).stdout == "2 seen; nothing differs\n"


def test_shows_a_bar_on_a_terminal(on_terminal: OnTerminal, variables: dict[str, str]) -> None:
    shown = on_terminal("sync", **variables)
    assert "created: ada@example.com ada" in shown
    assert "2 users" in shown
    assert "2 seen; 2 created" in shown
