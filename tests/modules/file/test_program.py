"""Large files through the real program: how much memory they take, and what a kill leaves."""

import hashlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from myapp.config import Settings
from myapp.storage import open_storage
from tests.conftest import Headers
from tests.modules.file.conftest import Leftovers
from tests.modules.file.test_upload import END, FORM, HEAD
from tests.support.buckets import Place
from tests.support.program import Program, environment, running_program, token_for

MEBIBYTE = 1024 * 1024
SIZE = 24 * MEBIBYTE
MAX_GROWTH = 40 * 1000 * 1000
PIECE = os.urandom(MEBIBYTE)


@pytest.fixture
def env(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> dict[str, str]:
    if kind == "local":
        return environment(tmp_path)
    place: Place = request.getfixturevalue("place")
    return environment(tmp_path, **place.variables)


@pytest.fixture
def program(env: dict[str, str], tmp_path: Path) -> Iterator[Program]:
    with running_program("--role=api", env=env, cwd=tmp_path) as started:
        started.wait_for("ready")
        yield started


@pytest.fixture
def ada(program: Program, env: dict[str, str]) -> Headers:
    token = token_for("ada@example.com", env)
    return {"Authorization": f"Bearer {token}"}


def form(size: int) -> Iterator[bytes]:
    yield HEAD.encode()
    for _ in range(size // MEBIBYTE):
        yield PIECE
    yield END.encode()


def peak_memory(program: Program) -> int:
    """The most that the process has held so far, in bytes."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_24_mebibytes_go_up_and_down_in_less_than_40_megabytes(
    program: Program, ada: Headers
) -> None:
    with httpx.Client(base_url=program.api, timeout=30) as client:
        warm = client.post("/files", headers=ada | FORM, content=form(MEBIBYTE))
        assert warm.status_code == 201
        before = peak_memory(program)

        answer = client.post("/files", headers=ada | FORM, content=form(SIZE))
        file = answer.json()["data"]
        digest = hashlib.sha256(PIECE * (SIZE // MEBIBYTE)).hexdigest()
        assert (file["size"], file["sha256"]) == (SIZE, digest)
        for url in (f"/files/{file['id']}/content", file["url"]):
            got = hashlib.sha256()
            with client.stream(
                "GET", urljoin(program.api, url), headers=ada, follow_redirects=True
            ) as down:
                assert down.status_code == 200
                for block in down.iter_bytes():
                    got.update(block)
            assert got.hexdigest() == digest
        assert peak_memory(program) - before < MAX_GROWTH


@pytest.mark.parametrize("kind", ["local"], indirect=True)  # a bucket's readers are not ours
def test_readers_that_stall_take_no_memory(program: Program, ada: Headers) -> None:
    with httpx.Client(base_url=program.api, timeout=30) as client:
        warm = client.post("/files", headers=ada | FORM, content=form(SIZE))
        assert warm.status_code == 201
        before = peak_memory(program)
        path = f"/files/{warm.json()['data']['id']}/content"
        sockets = [ask(program, path, ada) for _ in range(10)]
        time.sleep(0.5)
        assert peak_memory(program) - before < MAX_GROWTH
        for each in sockets:
            each.close()
        assert client.get("/files", headers=ada).status_code == 200


def ask(program: Program, path: str, headers: Headers) -> socket.socket:
    """Asks for a file, and never reads it."""
    address = urlsplit(program.api)
    asking = socket.create_connection((address.hostname, address.port or 80))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    asking.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
    return asking


async def test_a_sender_who_hangs_up_leaves_nothing(
    program: Program, ada: Headers, stored: Leftovers
) -> None:
    sending = start_upload(program, ada)
    await wait_for(stored, 1)
    sending.close()
    await wait_for(stored, 0)


async def test_what_a_killed_program_left_is_swept(
    program: Program, ada: Headers, stored: Leftovers, settings: Settings
) -> None:
    sending = start_upload(program, ada)
    await wait_for(stored, 1)
    program.stop(by=signal.SIGKILL)
    sending.close()
    async with open_storage(settings, signing_key=b"unused") as storage:
        assert await storage.sweep() == 0
        assert await storage.sweep(older_than=-timedelta(minutes=1)) == 1
    assert await stored() == []


def start_upload(program: Program, headers: Headers) -> socket.socket:
    """Sends the first 8 MiB of 24, and then no more."""
    address = urlsplit(program.api)
    sending = socket.create_connection((address.hostname, address.port or 80))
    fields = headers | FORM | {"Host": "x", "Content-Length": str(SIZE)}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    sending.sendall(f"POST /files HTTP/1.1\r\n{head}\r\n{HEAD}".encode() + PIECE * 8)
    return sending


async def wait_for(stored: Leftovers, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(await stored()) != count:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # noqa: ASYNC251  # nothing else is to go on here
