"""Tries `make run` as a newcomer would: until /ready answers and a sign-in works; then stops it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PORT = 18437  # any free ports
API = f"http://127.0.0.1:{PORT}"
START_SECONDS = 300  # the first start installs everything


def ask(path: str, *, token: str | None = None, body: object = None) -> Any:
    request = urllib.request.Request(API + path, data=json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def wait_until_ready(process: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"make run ended with status {process.returncode}")
        try:
            return ask("/ready")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    sys.exit("make run was not ready in time")


def stop(process: subprocess.Popen[bytes]) -> int:
    """Asks the program itself to stop, not make; returns what make makes of its status."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGTERM)
    return process.wait(timeout=40)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"PORT": str(PORT), "GRPC_PORT": str(PORT + 1), "DATA_DIR": folder}
        environment = {**os.environ, **settings}
        process = subprocess.Popen(["make", "run"], env=environment, start_new_session=True)
        try:
            print("ready:", wait_until_ready(process))
            token = subprocess.check_output(
                [".venv/bin/myapp", "token", "ada@example.com"], env=environment, text=True
            ).strip()
            print("verified:", ask("/auth/verify", body={"token": token})["data"]["email"])
            print("me:", ask("/auth/me", token=token)["data"]["email"])
        finally:
            status = stop(process)
    print("stopped with status", status)
    if status != 0:
        sys.exit("make run did not stop with status 0")


main()
