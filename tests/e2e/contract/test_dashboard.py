"""Section 8: `myapp tui` on a terminal of 80x24, beside the running program.

Every action and every view's own keys: tests/tui. An outage of Redis: tests/e2e/test_dashboard.py,
of the database: tests/tui/test_outage.py. 100,000 rows: tests/tui/test_table_view.py.
"""

import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.outside import Outside, Person, data_of, wait_until
from tests.support.program import START_SECONDS
from tests.support.terminal import LEFT, Terminal, on_a_terminal

pytestmark = pytest.mark.xdist_group("contract: dashboard")

LAST = "Quit"  # of the footer, which is drawn last
# The key of each, a word that stands in it alone, and one of its help.
VIEWS = {
    "1": ("Outbox lag", "tile to tile"),
    "2": ("Latency", "task:NAME"),
    "3": ("Schedule", "scheduler"),
    "4": ("Busy", "pid:NUMBER"),
    "5": ("Email", "role:NAME"),
    "6": ("Begins with", "minute"),
    "7": ("Data", "type:NAME"),
    "8": ("Target", "actor_id:ID"),
}
CTRL_P = "\x10"
ESCAPE = "\x1b"
DOWN = "\x1b[B"


@contextmanager
def dashboard(service: Outside, *flags: str) -> Iterator[Terminal]:
    command = (sys.executable, "-m", "myapp", "tui", *flags)
    with on_a_terminal(*command, env=service.env, cwd=service.folder) as terminal:
        terminal.until(lambda text: LAST in text)
        yield terminal


def shows(terminal: Terminal, *words: str) -> str:
    """The screen, as soon as it has all of these."""
    return terminal.until_screen(lambda screen: all(word in screen for word in words), last=LAST)


def find_user(terminal: Terminal, person: Person) -> None:
    terminal.press("5")
    shows(terminal, "Email", "Role")
    terminal.press(f"/{person.email}\r")
    shows(terminal, "1 user · filter")  # "1 user" is in "11 users" too


def status_of(service: Outside, person: Person) -> str:
    path = f"/admin/users/{person.id}"
    return str(data_of(service.api.get(path, headers=service.root.headers))["status"])


def test_every_view_has_its_key_and_every_key_its_help(service: Outside) -> None:
    with dashboard(service) as terminal:
        for key, (word, helpful) in VIEWS.items():
            terminal.press(key)
            shows(terminal, word)
            terminal.press("?")
            shows(terminal, helpful)
            terminal.press("?")


def test_filter_open_back_and_copy(service: Outside) -> None:
    ada = service.person()
    with dashboard(service) as terminal:
        find_user(terminal, ada)
        terminal.press("\r")
        shows(terminal, ada.id, "0 devices")
        terminal.press("y")
        copied = b64encode(ada.id.encode()).decode()
        terminal.until(lambda text: f"\x1b]52;c;{copied}" in text)  # for the terminal's clipboard
        terminal.press(ESCAPE)
        shows(terminal, "1 user")


def test_commands_theme_and_refresh(service: Outside) -> None:
    with dashboard(service) as terminal:
        for keys in (":", CTRL_P):
            terminal.press(keys)
            shows(terminal, "Search for commands")
            terminal.press("go to crons")
            shows(terminal, "Go to Crons")
            terminal.press("\r")
            shows(terminal, "cleanup-expired")
            terminal.press("1")
            shows(terminal, "Outbox lag")
        terminal.press("t")
        shows(terminal, "Search for themes", "myapp-16")  # which takes 16 colours
        terminal.press(ESCAPE)
        shows(terminal, "Outbox lag")
        terminal.press("r")
        shows(terminal, "Outbox lag")


def test_an_action_is_confirmed_and_audited(service: Outside) -> None:
    ada = service.person()
    with dashboard(service) as terminal:
        find_user(terminal, ada)
        terminal.press("s")
        shows(terminal, f"Suspend user {ada.email}?")
        terminal.press("n")
        shows(terminal, "1 user")
        assert status_of(service, ada) == "active"

        for action, status in (("Suspend", "suspended"), ("Restore", "active")):
            terminal.press("s")
            shows(terminal, f"{action} user {ada.email}?")
            terminal.press("y")
            wait_until(lambda: status_of(service, ada) == status)  # noqa: B023  # asked at once
            shows(terminal, "1 user", f" {status} ")
    assert service.audit("user.suspended", ada.id)["actor_type"] == "tui"


def test_jobs_are_cancelled_retried_and_deleted_and_queues_paused(service: Outside) -> None:
    root = service.root.headers

    def job(key: str) -> str | None:
        answer = service.api.get(f"/admin/jobs/{key}", headers=root)
        return str(answer.json()["data"]["status"]) if answer.status_code == 200 else None

    def is_paused() -> bool:
        queues = data_of(service.api.get("/admin/queues", headers=root))
        return bool(next(queue["paused"] for queue in queues if queue["name"] == "default"))

    with dashboard(service) as terminal:
        terminal.press("2")
        shows(terminal, "Latency", "runs")
        terminal.press("p")
        shows(terminal, "Pause queue default?")
        terminal.press("y")
        wait_until(is_paused)
        try:
            task = (
                "notification:send",
                '{"notification_id": "01890000-0000-7000-8000-000000000000"}',
            )
            key = service.run("enqueue", task[0], "--payload", task[1]).stdout.strip()
            terminal.press(f"/{key}\r")
            shows(terminal, "1 job · filter", "queued")
            for keys, question, status in (
                ("x", "Cancel", "cancelled"),
                ("R", "Retry", "queued"),
                ("D", "Delete", None),
            ):
                if keys == "D":  # only what has ended can be forgotten
                    terminal.press("x")
                    shows(terminal, "Cancel job")
                    terminal.press("y")
                    wait_until(lambda: job(key) == "cancelled")
                    shows(terminal, "cancelled")
                terminal.press(keys)
                shows(terminal, f"{question} job")
                terminal.press("y")
                wait_until(lambda: job(key) == status)  # noqa: B023  # asked at once
                shows(terminal, *(["1 job · filter", status] if status else ["0 jobs · filter"]))
        finally:
            service.api.post("/admin/queues/default/resume", headers=root)


def test_readonly_forbids_all_of_it(service: Outside) -> None:
    ada = service.person()
    with dashboard(service, "--readonly") as terminal:
        find_user(terminal, ada)
        for key in "sDA":
            terminal.press(key)
            shows(terminal, "Nothing can be changed", "READ-ONLY")
    assert status_of(service, ada) == "active"


def test_q_quits(service: Outside) -> None:
    with dashboard(service) as terminal:
        terminal.press(f"j{DOWN}kq")
        terminal.until(lambda text: LEFT in text)
        assert terminal.process.wait(START_SECONDS) == 0
