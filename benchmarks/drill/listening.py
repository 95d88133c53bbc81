"""Open event streams, opened again by their last id wherever they break."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from benchmarks.drill.ledger import Ledger
from benchmarks.drill.load import TRY_PAUSE, Account

SILENCE_SECONDS = 20.0  # a heartbeat comes every 15


@asynccontextmanager
async def listening(
    client: httpx.AsyncClient, accounts: Sequence[Account], ledger: Ledger
) -> AsyncIterator[None]:
    """Every account has a stream."""
    listeners = [asyncio.create_task(listen(client, each, ledger)) for each in accounts]
    try:
        await asyncio.sleep(1)
        yield
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)


async def listen(client: httpx.AsyncClient, account: Account, ledger: Ledger) -> None:
    last = ""
    while True:
        headers = account.headers | ({"Last-Event-ID": last} if last else {})
        try:
            async with client.stream(
                "GET", "/events", headers=headers, timeout=SILENCE_SECONDS
            ) as stream:
                async for line in stream.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name == "id":
                        last = value
                    elif name == "data":
                        take(json.loads(value), ledger)
        except (httpx.HTTPError, ValueError):
            pass
        await asyncio.sleep(TRY_PAUSE)


def take(event: dict[str, Any], ledger: Ledger) -> None:
    if event["type"] == "notification.created":
        ledger.record_told(event["data"]["id"])
    elif event["type"] == "drill.tick":
        ledger.record_told(event["data"]["number"])
    elif event["type"] == "resync":
        ledger.resyncs += 1
