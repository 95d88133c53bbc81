"""SIGTERM while clients are busy."""

import asyncio
import signal

import pytest

from tests.e2e.conftest import Start
from tests.support.load import CLIENTS, Load

LOAD_SECONDS = 1.0


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_drops_no_accepted_request(start: Start, processes: str) -> None:
    program = start("--role=api", DRAIN_SECONDS="1", WEB_CONCURRENCY=processes)
    load = Load(program.api)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(LOAD_SECONDS)
    program.process.send_signal(signal.SIGTERM)
    await running
    assert await asyncio.to_thread(program.process.wait, 30) == 0
    assert load.answered > CLIENTS
    assert load.broken == []
