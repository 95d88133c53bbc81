"""SIGTERM while clients are busy."""

import asyncio
import signal

import httpx

from tests.e2e.conftest import Start

CLIENTS = 20
LOAD_SECONDS = 1.0


class Load:
    """Clients that ask again and again, on connections that are kept, until nobody listens."""

    def __init__(self, api: str) -> None:
        self._api = api
        self.answered = 0
        self.broken: list[str] = []

    async def run(self) -> None:
        await asyncio.gather(*(self._ask_until_refused() for _ in range(CLIENTS)))

    async def _ask_until_refused(self) -> None:
        async with httpx.AsyncClient(base_url=self._api, timeout=10) as client:
            while True:
                try:
                    answer = await client.get("/health")
                except httpx.ConnectError:  # the listener is closed: nothing was accepted
                    return
                except httpx.HTTPError as error:
                    self.broken.append(repr(error))
                    return
                self.answered += answer.status_code == 200


async def test_drops_no_accepted_request(start: Start) -> None:
    program = start("--role=api", DRAIN_SECONDS="1")
    load = Load(program.api)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(LOAD_SECONDS)
    program.process.send_signal(signal.SIGTERM)
    await running
    assert await asyncio.to_thread(program.process.wait, 30) == 0
    assert load.answered > CLIENTS
    assert load.broken == []
