"""The page for development in Chromium, with its real EventSource."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Start
from tests.support.browser import Browser, find_browser, running_browser
from tests.support.program import run_program, token_for

pytestmark = [
    # No Python package brings a browser; .ci/run installs it.
    pytest.mark.skipif(find_browser() is None, reason="Chromium is not installed here"),
    pytest.mark.xdist_group("page"),  # one browser for all
]

EVENTS = 100
PAUSE = 0.05
READ_LOG = """return [...document.querySelectorAll("#log li.event .data")]
    .map((row) => JSON.parse(row.textContent).n).reverse()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as opened:
        yield opened


@pytest.fixture
def token(env: dict[str, str]) -> str:
    return token_for("ada@example.com", env)


def make_key(env: dict[str, str], folder: Path) -> str:
    arguments = ("apikey", "create", "page", "--scope", "events:publish")
    return run_program(*arguments, env=env, cwd=folder).stdout.strip()


def sign_in(browser: Browser, address: str, token: str) -> None:
    browser.open(address)
    browser.type("#token", token)
    browser.click("#sign-in button")
    browser.wait_for("#status", "Live")
    browser.wait_for("#account", "ada@example.com")


def number_events(address: str, key: str, user_id: str) -> None:
    """To the user and to everybody in turn, one after the other."""
    with httpx.Client(base_url=address, headers={"X-API-Key": key}) as http:
        for n in range(EVENTS):
            event: dict[str, object] = {"type": "demo.hello", "data": {"n": n}}
            if n % 2:
                event["user_id"] = user_id
            http.post("/events", json=event).raise_for_status()
            time.sleep(PAUSE)


@contextmanager
def in_background(*arguments: str) -> Iterator[None]:
    publishing = threading.Thread(target=number_events, args=arguments)
    publishing.start()
    try:
        yield
    finally:
        publishing.join()


def test_nothing_is_missed_over_a_restart_of_the_server(
    start: Start, env: dict[str, str], tmp_path: Path, browser: Browser, token: str
) -> None:
    publisher, server = start("--role=api"), start("--role=api")
    address, port = server.api, server.api.rpartition(":")[2]
    sign_in(browser, address, token)
    headers = {"Authorization": f"Bearer {token}"}
    user_id = httpx.get(f"{address}/auth/me", headers=headers).json()["data"]["id"]
    with in_background(publisher.api, make_key(env, tmp_path), user_id):
        time.sleep(EVENTS * PAUSE / 4)
        assert server.stop() == 0
        start("--role=api", PORT=port).wait_for("ready")
    deadline = time.monotonic() + 30
    while len(seen := browser.run(READ_LOG)) < EVENTS and time.monotonic() < deadline:
        time.sleep(0.1)
    assert seen == list(range(EVENTS))
    notes = browser.run(
        """return [...document.querySelectorAll("#log li.note .type")].map((e) => e.textContent)"""
    )
    assert notes.count("connected") >= 2
    assert notes.count("resync") == 1  # the first, by which it has an id to come back by


def test_what_is_sent_from_it_is_seen_on_it(
    start: Start, env: dict[str, str], tmp_path: Path, browser: Browser, token: str
) -> None:
    program = start("--role=api")
    sign_in(browser, program.api, token)
    browser.click("#send button")
    browser.wait_for("#sent", "administrators")
    browser.type("#key", make_key(env, tmp_path))
    browser.type("#type", "my.own-type")
    browser.type("#data", json.dumps({"n": 1}))
    browser.click("#send button")
    browser.wait_for("#sent", "Sent as")
    browser.wait_for("#log", "my.own-type")
    assert browser.run(READ_LOG) == [1]


def test_who_is_no_longer_let_in_is_told_so(start: Start, browser: Browser, token: str) -> None:
    program = start("--role=api")
    sign_in(browser, program.api, token)
    headers = {"Authorization": f"Bearer {token}"}
    httpx.delete(f"{program.api}/auth/me", headers=headers).raise_for_status()
    browser.wait_for("#account", "deleted")
    assert browser.text("#status") == "Signed out"
