"""Clients that are cut at random while events are published: what they lose, repeat or reorder.

Used by a test with a small load and by `benchmarks/storm.py` with the full one.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from tests.support.event_stream import Parser

PUBLISHERS = 8
SHORTEST_LIFE, LONGEST_LIFE = 0.05, 1.5  # seconds until a connection is cut
SETTLE_SECONDS = 15.0
REFUSED_SECONDS = 0.2

Place = tuple[int, int]  # what an id has inside, which a client is not to know


@dataclass
class Listener:
    """A client that comes back by its last id, to whichever process; it parses HTTP itself."""

    token: str
    user_id: str
    addresses: Sequence[str]
    cut: bool = True
    last_id: str | None = None
    seen: list[int] = field(default_factory=list)
    resyncs: int = 0
    connections: int = 0
    lags: list[float] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """For ever, through one connection after the other."""
        while True:
            life = random.uniform(SHORTEST_LIFE, LONGEST_LIFE) if self.cut else None
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
                async with asyncio.timeout(life):
                    await self._connect(urlsplit(random.choice(self.addresses)).netloc)

    async def _connect(self, netloc: str) -> None:
        host, port = netloc.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            head = (
                f"GET /events HTTP/1.1\r\nHost: {netloc}\r\nAuthorization: Bearer {self.token}\r\n"
            )
            if self.last_id:
                head += f"Last-Event-ID: {self.last_id}\r\n"
            writer.write(head.encode() + b"\r\n")
            status = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in status.partition(b"\r\n")[0]:
                await asyncio.sleep(REFUSED_SECONDS)
                return
            self.connections += 1
            await self._read(reader)
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        parser = Parser()
        while size := int(await reader.readuntil(b"\r\n"), 16):
            parser.feed((await reader.readexactly(size + 2))[:-2])
            for frame in parser.frames:
                self.last_id = frame.id or self.last_id
                if frame.type == "resync":
                    self.resyncs += 1
                elif frame.data is not None:
                    data = frame.json["data"]
                    self.seen.append(data["n"])
                    self.lags.append(time.time() - data["sent_at"])
            parser.frames.clear()
            self.opened.set()


@dataclass
class Storm:
    """What was published, and what each client made of it."""

    listeners: Sequence[Listener]
    published: dict[int, tuple[str | None, Place]] = field(default_factory=dict)
    seconds: float = 0.0

    def expected(self, listener: Listener) -> list[int]:
        """What that client had to see, in the order in which the server placed it."""
        own = [
            (place, n)
            for n, (user_id, place) in self.published.items()
            if user_id in (None, listener.user_id)
        ]
        return [n for _, n in sorted(own)]

    @property
    def faults(self) -> list[str]:
        """What went wrong, client by client; nothing is what we want."""
        found = []
        for number, listener in enumerate(self.listeners):
            expected = self.expected(listener)
            if listener.resyncs:
                found.append(f"client {number} had to resync {listener.resyncs} times")
            if listener.seen != expected:
                lost = len(set(expected) - set(listener.seen))
                repeated = len(listener.seen) - len(set(listener.seen))
                found.append(
                    f"client {number}: {lost} of {len(expected)} lost, {repeated} repeated, "
                    f"in order: {listener.seen == sorted_as(expected, listener.seen)}"
                )
        return found


def sorted_as(expected: Sequence[int], seen: Sequence[int]) -> list[int]:
    rank = {n: index for index, n in enumerate(expected)}
    return sorted(seen, key=lambda n: rank.get(n, -1))


def place_of(event_id: str) -> Place:
    _, ms, n, *_ = event_id.split(".")
    return int(ms), int(n)


async def run_storm(
    addresses: Sequence[str],
    *,
    tokens: Sequence[str],
    key: str,
    clients: int,
    rate: float,
    seconds: float,
) -> Storm:
    """Publishes `rate` events a second through all processes, half of them to everybody."""
    async with httpx.AsyncClient(headers={"X-API-Key": key}, timeout=10) as http:
        user_ids = [await find_user(http, addresses[0], token) for token in tokens]
        people = list(zip(tokens, user_ids, strict=True))
        listeners = [
            Listener(*people[number % len(people)], addresses) for number in range(clients)
        ]
        storm = Storm(listeners)
        listening = [asyncio.create_task(listener.listen()) for listener in listeners]
        for listener in listeners:
            await listener.opened.wait()
        began = time.monotonic()
        await publish_all(storm, http, addresses, user_ids, rate=rate, seconds=seconds)
        storm.seconds = time.monotonic() - began
        await settle(storm)
        for task in listening:
            task.cancel()
        await asyncio.wait(listening)
    return storm


async def find_user(http: httpx.AsyncClient, address: str, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers) as own:
        answer = await own.get(f"{address}/auth/me")
    return str(answer.raise_for_status().json()["data"]["id"])


async def publish_all(
    storm: Storm,
    http: httpx.AsyncClient,
    addresses: Sequence[str],
    user_ids: Sequence[str],
    *,
    rate: float,
    seconds: float,
) -> None:
    numbers = iter(range(int(rate * seconds)))
    began = time.monotonic()

    async def publish() -> None:
        for n in numbers:
            await asyncio.sleep(began + n / rate - time.monotonic())
            user_id = random.choice([None, random.choice(user_ids)])
            event = {"type": "storm.drop", "data": {"n": n, "sent_at": time.time()}}
            if user_id:
                event["user_id"] = user_id
            answer = await http.post(f"{random.choice(addresses)}/events", json=event)
            storm.published[n] = (user_id, place_of(answer.raise_for_status().json()["data"]["id"]))

    async with asyncio.TaskGroup() as publishers:
        for _ in range(PUBLISHERS):
            publishers.create_task(publish())


async def settle(storm: Storm) -> None:
    """Waits until everybody has had the last event, or no longer."""
    for listener in storm.listeners:
        listener.cut = False
    deadline = time.monotonic() + SETTLE_SECONDS
    while storm.faults and time.monotonic() < deadline:  # noqa: ASYNC110  # as a user looks
        await asyncio.sleep(0.1)
