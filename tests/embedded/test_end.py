"""How the server ends: with its last user alone, and what happens when anybody is killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from myapp.embedded import embedded_server, server
from myapp.embedded.watcher import open_lock, try_lock
from tests.embedded.users import (
    Start,
    User,
    another_answers,
    append_only_file,
    connect,
    is_gone,
    server_pid,
    soon,
    watcher_pid,
)


class TestEnd:
    def test_the_last_user_leaves_nothing_running(self, data_dir: Path, start: Start) -> None:
        user = start()
        url = user.wait_ready()
        pid, watcher = server_pid(url), watcher_pid(url)

        user.leave()

        assert is_gone(pid)
        assert soon(lambda: is_gone(watcher))  # it gives its lock back a moment before

    @pytest.mark.parametrize("end", [User.leave, User.kill])
    def test_the_server_outlives_the_user_that_started_it(
        self, start: Start, end: Callable[[User], None]
    ) -> None:
        """Also, neither it nor the watcher keeps that user's pipes open: `make run | cat`."""
        first = start()
        first.wait_ready()
        url = start().wait_ready()
        pid = server_pid(url)

        end(first)
        time.sleep(0.3)

        assert server_pid(url) == pid

    def test_it_ends_when_all_users_are_killed_at_once(self, start: Start) -> None:
        users = [start(), start()]
        url, _ = (user.wait_ready() for user in users)
        pids = server_pid(url), watcher_pid(url)

        for user in users:
            user.process.kill()

        assert soon(lambda: all(is_gone(pid) for pid in pids))

    def test_a_program_that_a_user_started_does_not_keep_the_server(self, start: Start) -> None:
        user = start("sleep", "30")
        pid = server_pid(user.wait_ready())
        try:
            user.process.kill()

            assert soon(lambda: is_gone(pid))
            assert not is_gone(user.child)
        finally:
            os.kill(user.child, signal.SIGKILL)

    def test_ctrl_c_reaches_only_the_user(self, start: Start) -> None:
        interrupted, other = start(), start()
        url = interrupted.wait_ready()
        other.wait_ready()
        pid = server_pid(url)

        os.killpg(interrupted.process.pid, signal.SIGINT)
        interrupted.kill()
        time.sleep(0.3)

        assert server_pid(url) == pid


class TestDeath:
    @pytest.mark.parametrize("victims", [(server_pid,), (watcher_pid,), (watcher_pid, server_pid)])
    def test_a_server_in_use_comes_back_with_its_data(
        self, start: Start, victims: tuple[Callable[[str], int], ...]
    ) -> None:
        url = start().wait_ready()
        start().wait_ready()
        pid = server_pid(url)
        with connect(url) as redis:
            redis.set("kept", "yes")

        for victim in [find(url) for find in victims]:
            os.kill(victim, signal.SIGKILL)

        assert soon(lambda: another_answers(url, than=pid))
        with connect(url) as redis:
            assert redis.get("kept") == b"yes"

    def test_a_server_without_watcher_and_users_is_gone(self, start: Start) -> None:
        user = start()
        url = user.wait_ready()
        pid = server_pid(url)

        os.kill(watcher_pid(url), signal.SIGKILL)
        user.process.kill()

        assert soon(lambda: is_gone(pid))

    def test_no_second_server_starts_while_one_lives(self, data_dir: Path, start: Start) -> None:
        """Its watcher is dead, and it is too stuck to end."""
        url = start().wait_ready()
        pid, watcher = server_pid(url), watcher_pid(url)
        os.kill(pid, signal.SIGSTOP)
        os.kill(watcher, signal.SIGKILL)
        lock = open_lock(data_dir / "valkey" / "server.lock")

        try:
            assert not soon(lambda: try_lock(lock), seconds=1)
        finally:
            os.close(lock)
            os.kill(pid, signal.SIGCONT)

        assert soon(lambda: another_answers(url, than=pid))

    def test_data_outlives_the_death_of_everything(self, start: Start) -> None:
        user = start()
        url = user.wait_ready()
        with connect(url) as redis:
            for number in range(1000):
                redis.rpush("numbers", number)
        victims = watcher_pid(url), server_pid(url), user.process.pid

        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        user.kill()

        with connect(start().wait_ready()) as redis:
            assert redis.llen("numbers") == 1000

    async def test_half_a_command_at_the_end_is_dropped(self, data_dir: Path) -> None:
        async with embedded_server(data_dir) as url:
            with connect(url) as redis:
                redis.set("first", 1)
                redis.set("second", 2)
        with append_only_file(data_dir).open("r+b") as file:
            file.truncate(append_only_file(data_dir).stat().st_size - 3)

        async with embedded_server(data_dir) as url:
            with connect(url) as redis:
                assert redis.mget("first", "second") == [b"1", None]

    def test_a_server_that_lost_its_watcher_is_replaced(self, data_dir: Path, start: Start) -> None:
        """As on macOS, whose kernel does not end it: two would ruin the append-only file."""
        home = server.make_home(data_dir)
        lock = open_lock(home / "server.lock")
        assert try_lock(lock)
        options = f"--unixsocket {home}/valkey.sock --port 0 --dir {home} --logfile log".split()
        lost = subprocess.Popen([server.find_binary(), *options], pass_fds=(lock,))
        os.close(lock)
        url = f"unix://{home}/valkey.sock"
        assert soon(lambda: another_answers(url, than=0))

        start().wait_ready()

        assert soon(lambda: another_answers(url, than=lost.pid))
        assert lost.wait(10) == 0

    def test_it_comes_back_when_what_kept_it_from_starting_is_gone(
        self, data_dir: Path, start: Start
    ) -> None:
        url = start().wait_ready()
        pid = server_pid(url)

        append_only_file(data_dir).write_text("no command\n")
        os.kill(pid, signal.SIGKILL)
        assert not soon(lambda: another_answers(url, than=pid), seconds=1)

        append_only_file(data_dir).write_text("")
        assert soon(lambda: another_answers(url, than=pid), seconds=20)  # tries are ever rarer
