"""A peer in a process of its own, by Uvicorn as its users start it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 10.0


class Peer(NamedTuple):
    """A server and its process."""

    url: str
    pid: int


@contextmanager
def serving(module: str, folder: Path, *options: str, **variables: str) -> Iterator[Peer]:
    """Serves `app` of a module beside this one, with uvloop, httptools and the access log.

    The log goes to a file in `folder`. `options` are Uvicorn's.
    """
    # Not --fd: Uvicorn takes it for a unix socket, so that Nagle's algorithm stays on (40 ms).
    port = find_free_port()
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.peers.{module}:app"]
    command += ["--port", str(port), *options]
    with (folder / f"{module}.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **variables}, stdout=log, stderr=log
        )
    try:
        wait_for_listener(port)
        yield Peer(f"http://127.0.0.1:{port}", process.pid)
    finally:
        stop(process)


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def wait_for_listener(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
