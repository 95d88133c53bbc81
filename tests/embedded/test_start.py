"""How the server starts, where it listens and what it keeps."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from myapp.embedded import embedded_server, server
from myapp.embedded.watcher import SOCKET_LINK, is_private
from tests.embedded.users import (
    Start,
    another_answers,
    append_only_file,
    connect,
    is_served,
    server_pid,
    soon,
)


class TestStart:
    def test_a_second_user_joins_the_server_of_the_first(self, start: Start) -> None:
        assert server_pid(start().wait_ready()) == server_pid(start().wait_ready())

    def test_five_users_at_once_start_one_server(self, start: Start) -> None:
        users = [start() for _ in range(5)]

        assert len({server_pid(user.wait_ready()) for user in users}) == 1

    async def test_users_that_come_as_the_last_one_leaves_get_a_server(
        self, data_dir: Path
    ) -> None:
        async def use(delay: float) -> int:
            await asyncio.sleep(delay)
            async with embedded_server(data_dir) as url:
                return server_pid(url)

        pids = await asyncio.gather(*(use(moment * 0.015) for moment in range(60)))

        assert all(pids)  # whether or not it was stopped among them, which is up to chance

    async def test_a_leftover_socket_is_no_obstacle(self, data_dir: Path) -> None:
        (data_dir / "valkey").mkdir(parents=True)
        (data_dir / "valkey" / "valkey.sock").touch()

        async with embedded_server(data_dir) as url:
            assert server_pid(url)

    async def test_a_path_may_hold_any_character(self, data_dir: Path) -> None:
        folder = data_dir / "a b'\"#?%41é"
        async with embedded_server(folder) as url:
            assert server_pid(url)

        assert soon(lambda: not is_served(folder))

    async def test_a_relative_path_is_the_same_folder(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(data_dir.parent)
        async with embedded_server(data_dir) as url, embedded_server(Path("data")) as same:
            assert same == url

    async def test_only_the_owner_can_enter_and_there_is_no_port(self, data_dir: Path) -> None:
        async with embedded_server(data_dir) as url:
            home = data_dir / "valkey"
            assert [path.stat().st_mode & 0o777 for path in (data_dir, home)] == [0o700, 0o700]
            assert (home / "valkey.sock").stat().st_mode & 0o777 == 0o600
            assert append_only_file(data_dir).stat().st_mode & 0o077 == 0
            with connect(url) as redis:
                assert redis.config_get("port") == {"port": "0"}

    async def test_it_keeps_its_data_in_an_append_only_file_alone(self, data_dir: Path) -> None:
        async with embedded_server(data_dir) as url:
            with connect(url) as redis:
                assert redis.config_get("append*") | redis.config_get("save") == {
                    "appendonly": "yes",
                    "appendfsync": "everysec",
                    "appendfilename": "appendonly.aof",
                    "appenddirname": "appendonlydir",
                    "save": "",
                }
                assert redis.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"

    def test_its_log_is_kept_short(self, data_dir: Path, start: Start) -> None:
        log = data_dir / "valkey" / "valkey.log"
        log.parent.mkdir(parents=True)
        log.write_bytes(b"x" * (server.LOG_BYTES + 1))

        start().wait_ready()

        assert log.stat().st_size < 10_000
        assert log.with_suffix(".log.1").stat().st_size > server.LOG_BYTES


class TestLongPath:
    def test_its_socket_is_in_a_private_folder_that_goes_with_the_server(
        self, data_dir: Path, start: Start
    ) -> None:
        folder = data_dir / ("long" * 25)
        first, second = start(folder=folder), start(folder=folder)
        url = first.wait_ready()
        assert server_pid(url) == server_pid(second.wait_ready())

        place = (folder / "valkey" / SOCKET_LINK).readlink()
        assert url == f"unix://{place}/valkey.sock"
        assert place.stat().st_mode & 0o777 == 0o700

        first.leave()
        second.kill()
        assert soon(lambda: not place.exists())

    def test_it_stays_when_the_server_is_killed_in_use(self, data_dir: Path, start: Start) -> None:
        user = start(folder=data_dir / ("long" * 25))
        url = user.wait_ready()
        pid = server_pid(url)

        os.kill(pid, signal.SIGTERM)

        assert soon(lambda: another_answers(url, than=pid))
        user.leave()

    async def test_a_folder_that_others_can_enter_is_not_used(self, data_dir: Path) -> None:
        home = data_dir / ("long" * 25) / "valkey"
        home.mkdir(parents=True)
        planted = data_dir / "planted"
        planted.mkdir(mode=0o755)
        (home / SOCKET_LINK).symlink_to(planted)
        assert not is_private(home / SOCKET_LINK)

        async with embedded_server(home.parent) as url:
            assert str(planted) not in url
            assert is_private(home / SOCKET_LINK)
