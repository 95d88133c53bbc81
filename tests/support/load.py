"""Clients that ask again and again, on connections that are kept."""

import asyncio

import httpx

CLIENTS = 20


class Load:
    """Asks until nobody listens. `broken` are requests that were sent and not answered."""

    def __init__(self, api: str, *, pause: float = 0.0) -> None:
        self._api = api
        self._pause = pause
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
                else:
                    self.answered += answer.status_code == 200
                await asyncio.sleep(self._pause)
