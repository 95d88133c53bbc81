"""Several processes of the API on one port."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import Start
from tests.support.event_stream import Parser
from tests.support.load import CLIENTS, Load
from tests.support.program import Program, run_program, token_for, wait_until_alone

SECONDS = 20.0
EVENTS = 10
STREAMS_A_USER = 10
USERS = [f"user{number}@example.com" for number in range(3)]


async def wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  # other processes set no event of ours
            await asyncio.sleep(0.05)


def read_metrics(program: Program, name: str) -> dict[str, float]:
    """The samples of one metric, by process; "" where the processes are summed up."""
    text = httpx.get(f"http://{program.address('health')}/metrics").text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                process = sample.labels.get("process", "")
                found[process] = found.get(process, 0) + sample.value
    return found


def events_logged(program: Program, event: str) -> list[dict[str, object]]:
    return [line for line in program.lines() if line["event"] == event]


class Streams:
    """Open streams of several users, each read as it comes."""

    def __init__(self, api: str, stack: AsyncExitStack, group: asyncio.TaskGroup) -> None:
        self._api = api
        self._stack = stack
        self._group = group
        self.parsers: list[Parser] = []

    async def open(self, headers: dict[str, str]) -> None:
        client = await self._stack.enter_async_context(httpx.AsyncClient(timeout=SECONDS))
        opening = client.stream("GET", f"{self._api}/events", headers=headers)
        stream = await self._stack.enter_async_context(opening)
        assert stream.status_code == 200
        self.parsers.append(Parser())
        self._group.create_task(self._read(self.parsers[-1], stream))

    async def _read(self, parser: Parser, stream: httpx.Response) -> None:
        try:
            await parser.read(stream.aiter_bytes())
        except httpx.HTTPError:  # its process was killed
            self.parsers.remove(parser)


@pytest.fixture
def users(env: dict[str, str]) -> list[dict[str, str]]:
    """Headers of users, of whom the first is an administrator."""
    return [{"Authorization": f"Bearer {token_for(user, env)}"} for user in USERS]


async def open_in_both(streams: Streams, program: Program, users: list[dict[str, str]]) -> None:
    """Streams until each of two processes has some."""
    for user in users:
        for _ in range(STREAMS_A_USER):
            await streams.open(user)
            await asyncio.sleep(0.01)
        # What the other process says of itself may be some seconds old.
        for _ in range(30):
            if all(read_metrics(program, "event_streams_open").values()):
                return
            await asyncio.sleep(0.1)
    raise AssertionError(read_metrics(program, "event_streams_open"))


async def publish(api: str, administrator: dict[str, str], numbers: range) -> None:
    async with httpx.AsyncClient(headers=administrator) as client:
        for number in numbers:
            body = {"type": "number", "data": {"n": number}}
            answer = await client.post(f"{api}/events", json=body)
            assert answer.status_code == 202, answer.text


async def test_one_is_killed_and_replaced_while_the_other_serves_and_both_stream(
    start: Start, env: dict[str, str], folder: Path, users: list[dict[str, str]]
) -> None:
    program = start("--role=api", WEB_CONCURRENCY="2", HEALTH_PORT="0", TMPDIR=str(folder.parent))
    ready = program.wait_for("ready")
    granted = run_program("admin", "grant", USERS[0], env=env, cwd=folder.parent)
    assert granted.returncode == 0, granted.stderr
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        streams = Streams(program.api, stack, group)
        await open_in_both(streams, program, users)
        await publish(program.api, users[0], range(EVENTS))
        every = list(range(EVENTS))
        await wait_until(lambda: all(one.numbers == every for one in streams.parsers))

        load = Load(program.api, pause=0.05)
        loading = group.create_task(load.run())
        await wait_until(lambda: load.answered > CLIENTS)
        counted = read_metrics(program, "http_requests_total")[""]
        before = len(streams.parsers)
        os.kill(ready["processes"]["2"], signal.SIGKILL)
        seen = load.answered
        await wait_until(lambda: load.answered > seen + CLIENTS)  # nobody waits for the new one
        await wait_until(lambda: len(events_logged(program, "process ready")) == 3)
        assert 0 < len(streams.parsers) < before
        assert len(load.broken) <= CLIENTS
        assert read_metrics(program, "http_requests_total")[""] >= counted
        assert set(read_metrics(program, "process_resident_memory_bytes")) == {"1", "2"}
        await publish(program.api, users[0], range(EVENTS, EVENTS + 1))
        await wait_until(lambda: all(one.numbers[-1] == EVENTS for one in streams.parsers))

        program.process.kill()  # the supervisor itself: nothing is left behind
        await loading
    await asyncio.to_thread(wait_until_alone, folder)
    assert list(folder.parent.glob("myapp-*")) == []


def test_what_keeps_them_from_starting_is_said_once(start: Start, tmp_path: Path) -> None:
    program = start(
        "--role=api", WEB_CONCURRENCY="4", DATABASE_URL=f"sqlite://{tmp_path}/unmigrated.db"
    )
    assert program.process.wait(SECONDS) == 2
    (line,) = program.log_file.read_text().splitlines()
    assert "run: myapp migrate" in line
