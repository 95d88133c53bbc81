"""`myapp tui` beside a program at work: over an outage of Redis, and in tmux."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Start
from tests.support.outside import Outside, wait_until
from tests.support.program import START_SECONDS
from tests.support.terminal import LEFT, on_a_terminal
from tests.support.tmux import in_tmux
from tests.support.valkey import Valkey

AWAY = "Redis does not answer"
IN_ORDER = re.compile("test.after.*resync.*test.before", re.DOTALL)


@pytest.fixture
def env(env: dict[str, str], own_valkey: Valkey) -> dict[str, str]:
    return env | {"REDIS_URL": own_valkey.url}


@pytest.fixture
def outside(start: Start, env: dict[str, str], tmp_path: Path) -> Iterator[Outside]:
    met = Outside(start(), env, tmp_path)
    with met.api:
        yield met


def send(outside: Outside, kind: str) -> bool:
    """Tells everybody; whether that was possible."""
    event = {"type": kind, "data": {}}
    answer = outside.api.post("/events", headers=outside.root.headers, json=event)
    return answer.status_code == httpx.codes.ACCEPTED


def test_it_goes_on_by_itself_and_leaves_the_terminal_as_it_was(
    outside: Outside, env: dict[str, str], tmp_path: Path, own_valkey: Valkey
) -> None:
    command = (sys.executable, "-m", "myapp", "tui")
    with on_a_terminal(*command, env=env, cwd=tmp_path) as terminal:
        modes = terminal.modes
        terminal.until(lambda text: "Quit" in text)
        assert terminal.modes != modes
        terminal.press("7")
        assert send(outside, "test.before")
        terminal.until_screen(lambda screen: "test.before" in screen, last="Quit")

        own_valkey.kill()
        screen = terminal.until_screen(lambda screen: AWAY in screen, last="Quit")
        assert "test.before" in screen
        terminal.press("8")
        terminal.until_screen(lambda screen: "event.sent" in screen, last="Quit")
        terminal.press("7")

        own_valkey.start()
        wait_until(lambda: send(outside, "test.after"))
        # What comes while the screen is read is drawn behind the rest; the next time it is not.
        terminal.until_screen(IN_ORDER.search, last="Quit")
        terminal.until_screen(lambda screen: AWAY not in screen, last="Quit")

        terminal.press("q")
        terminal.until(lambda text: LEFT in text)
        assert terminal.process.wait(START_SECONDS) == 0
        assert terminal.modes == modes


def test_in_tmux_it_takes_keys_fits_every_size_and_gives_the_screen_back(
    outside: Outside, env: dict[str, str], tmp_path: Path
) -> None:
    ada = outside.person()
    with in_tmux(env=env, cwd=tmp_path) as window:
        window.type(f"echo before; {sys.executable} -m myapp tui; echo ended $?")
        window.press("Enter")
        assert "before" not in window.until("Outbox lag", "Quit")
        window.press("5")
        window.until("Email", "Role")
        window.type(f"/{ada.email}")
        window.press("Enter")
        window.until("1 user · filter", "active")
        window.press("Enter")
        window.until("0 devices", ada.id)
        window.press("Escape")
        window.until("1 user · filter")
        window.type("s")
        window.until(f"Suspend user {ada.email}?")
        window.type("y")
        window.until("1 user", " suspended ")
        assert "\x1b[" in window.screen("-e")  # in colours

        window.resize(120, 40)
        lines = window.until(ada.id).splitlines()  # a column that there was no room for
        assert "Quit" in lines[39]
        window.resize(60, 15)
        lines = window.until("1 user", " suspended ").splitlines()
        assert len(lines) == 15

        window.type("q")
        assert "Email" not in window.until("before", "ended 0")
