"""Processes that use the embedded server, and what can be seen of it from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from myapp.embedded.watcher import open_lock, try_lock

# A user: says the URL, stays until its input ends, and then leaves in order. What its
# command line has after the folder it starts as a program of its own.
USER = """
import asyncio, subprocess, sys
from pathlib import Path
import structlog
from myapp.embedded import embedded_server

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def use():
    async with embedded_server(Path(sys.argv[1])) as url:
        child = subprocess.Popen(sys.argv[2:], close_fds=False).pid if sys.argv[2:] else 0
        print(url, child, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(use())
"""


class User:
    """A process that uses the embedded server of a folder, in a process group of its own."""

    def __init__(self, data_dir: Path, *program: str) -> None:
        self.child = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, data_dir, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_ready(self) -> str:
        """The URL, once the server can be used."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.child = int(line.split()[1])
        return line.split()[0]

    def tell_to_leave(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.stdin = None

    def leave(self) -> None:
        """Ends it in order; also its pipes must end, whoever else lives."""
        errors = self.process.communicate(timeout=10)[1]
        assert self.process.returncode == 0, errors

    def kill(self) -> None:
        self.process.kill()
        if self.process.stdout and not self.process.stdout.closed:
            self.process.communicate(timeout=10)


Start = Callable[..., User]


def soon(condition: Callable[[], bool], *, seconds: float = 8) -> bool:
    """On a busy machine, but before a watcher's patience with its server is over, after 10 s."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_served(data_dir: Path) -> bool:
    """Whether a watcher or a server lives: each holds its lock for as long as it does."""
    home = data_dir / "valkey"
    if not home.is_dir():
        return False
    locks = [open_lock(home / name) for name in ("watcher.lock", "server.lock")]
    try:
        return not all(try_lock(lock) for lock in locks)
    finally:
        for lock in locks:
            os.close(lock)


def connect(url: str) -> Any:
    return Redis.from_url(url, socket_timeout=5)


def server_pid(url: str) -> int:
    with connect(url) as redis:
        return int(redis.info("server")["process_id"])


def another_answers(url: str, *, than: int) -> bool:
    try:
        return server_pid(url) != than
    except RedisError:
        return False


def state_of(pid: int, column: str) -> str:
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()


def is_gone(pid: int) -> bool:
    return state_of(pid, "stat")[:1] in ("", "Z")


def watcher_pid(url: str) -> int:
    return int(state_of(server_pid(url), "ppid"))


def append_only_file(data_dir: Path) -> Path:
    (path,) = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    return path
