"""SIGTERM while clients are busy."""

import asyncio
import os
import signal

import pytest

from tests.e2e.conftest import Start
from tests.support.hubs import until
from tests.support.load import CLIENTS, Load
from tests.support.program import START_SECONDS

LOAD_SECONDS = 1.0


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_drops_no_accepted_request(start: Start, processes: str) -> None:
    """Several are told as some platforms do it: all at once, beside their supervisor.

    Clients of a busy machine need a while until each has been told to close its connection. They
    breathe between two requests: else they starve each other, for longer than a connection may be
    quiet when the drain is over.
    """
    program = start("--role=api", DRAIN_SECONDS="2", WEB_CONCURRENCY=processes)
    load = Load(program.api, pause=0.02)
    running = asyncio.create_task(load.run())
    await until(lambda: load.answered > CLIENTS, within=START_SECONDS)
    await asyncio.sleep(LOAD_SECONDS)
    for pid in [program.process.pid, *program.wait_for("ready").get("processes", {}).values()]:
        os.kill(pid, signal.SIGTERM)
    await running
    assert await asyncio.to_thread(program.process.wait, 30) == 0
    assert load.broken == []
