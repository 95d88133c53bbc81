"""What open event streams cost one process, and how soon events reach them.

    python -m benchmarks.streams [--streams 10000] [--rounds 20] [--bytes 100]
        [--paced-streams 1000] [--rate 200] [--seconds 15]

First that many streams are open in one process: the memory they take, how long an event for
everybody needs to reach the last of them, and how quick `/health` is meanwhile. Then fewer of
them, and events for single users at a steady rate: how long each takes from before its `POST
/events` to the client. Each stream takes a file descriptor here and one there.
"""

import argparse
import asyncio
import multiprocessing
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvloop

from benchmarks.installation import memory_mib, new_installation
from benchmarks.measurement import Spread, percentile, spread_of
from benchmarks.report import Report
from tests.support.program import Program

USERS = 1000  # ten streams each, as many as one may have
OPENING_AT_ONCE = 100
ROUND_SECONDS = 1.5
HEALTH_SECONDS = 0.02  # between two requests
LOST_SECONDS = 60.0  # what has not come by then never will
MARK = b'"n":'

Delivery = tuple[int, float]  # an event's number, and the seconds that it took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--bytes", type=int, default=100, help="of padding in each event")
    parser.add_argument("--paced-streams", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200, help="events a second")
    parser.add_argument("--seconds", type=float, default=15, help="of that rate")
    options = parser.parse_args()
    raise_file_limit(max(options.streams, options.paced_streams) + 200)
    report = Report("streams", "Live events in one process")
    with new_installation() as installation:
        tokens, key = installation.tokens(USERS), installation.key("events:publish")
        with installation.serving() as program:
            users = asyncio.run(find_users(program.api, tokens))
            broadcast(program, tokens, key, options, report)
        with installation.serving() as program:
            pace(program, tokens, users, key, options, report)
    report.finish()


def broadcast(
    program: Program, tokens: Sequence[str], key: str, options: argparse.Namespace, report: Report
) -> None:
    count, pid = options.streams, program.process.pid
    before = memory_mib(pid)
    with holding(program, tokens, count, count * options.rounds) as streams:
        opening: float = receive(streams)
        health = asyncio.run(publish_rounds(program.api, key, options))
        deliveries: list[Delivery] = receive(streams)
        after = memory_mib(pid)
    delays = defaultdict(list)
    for n, delay in deliveries:
        delays[n].append(delay * 1000)
    every = spread_of(delay * 1000 for _, delay in deliveries)
    last = spread_of(max(each) for each in delays.values())
    rows = {
        "opened in, s": opening,
        "memory before, MiB": before,
        "memory with them, MiB": after,
        "memory of each, KiB": (after - before) * 1024 / count,
        "an event at one stream, ms": every,
        "an event at the last stream, ms": last,
        "/health median, ms": percentile(health, 0.5),
        "/health p99, ms": percentile(health, 0.99),
    }
    title = f"{count:,} streams, {options.rounds} events for all of them"
    report.add_table(title, ["", "measured"], list(rows.items()))
    values = {name: vars(row) if isinstance(row, Spread) else row for name, row in rows.items()}
    report.add_values(title, values)
    report.add_target(f"memory with {count:,} streams", after * 1.048576, at_most=300, unit="MB")
    report.add_target("an event for all, at the last, median", last.median, at_most=500, unit="ms")
    report.add_target("/health meanwhile, p99", percentile(health, 0.99), at_most=250, unit="ms")


def pace(
    program: Program,
    tokens: Sequence[str],
    users: Sequence[str],
    key: str,
    options: argparse.Namespace,
    report: Report,
) -> None:
    count, events = options.paced_streams, int(options.rate * options.seconds)
    with holding(program, tokens, count, events) as streams:
        receive(streams)
        asyncio.run(publish_steadily(program.api, key, users[:count], events, options.rate))
        deliveries: list[Delivery] = receive(streams)
    delays = [delay * 1000 for _, delay in deliveries]
    shares = {"median": 0.5, "p90": 0.9, "p99": 0.99, "worst": 1.0}
    rows = {f"{name}, ms": percentile(delays, share) for name, share in shares.items()}
    title = f"{events:,} events, {options.rate:g} a second, to single users of {count:,} streams"
    report.add_table(title, ["from publishing to receiving", "measured"], list(rows.items()))
    report.add_values(title, rows)
    report.add_target("from publishing to receiving, p99", rows["p99, ms"], at_most=20, unit="ms")


async def publish_rounds(address: str, key: str, options: argparse.Namespace) -> list[float]:
    """One event after the other for everybody; the milliseconds of each /health meanwhile."""
    health: list[float] = []
    asking = asyncio.create_task(ask_health(address, health))
    async with publisher(address, key) as http:
        for n in range(options.rounds):
            await publish(http, n, padding="x" * options.bytes)
            await asyncio.sleep(ROUND_SECONDS)
    asking.cancel()
    return health


async def publish_steadily(
    address: str, key: str, users: Sequence[str], events: int, rate: float
) -> None:
    """Each event at its moment, whether or not the ones before were answered."""
    began = time.perf_counter()
    async with publisher(address, key) as http, asyncio.TaskGroup() as group:
        for n in range(events):
            await asyncio.sleep(began + n / rate - time.perf_counter())
            group.create_task(publish(http, n, user_id=users[n % len(users)]))


def publisher(address: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=address, headers={"X-API-Key": key})


async def publish(
    http: httpx.AsyncClient, n: int, *, padding: str = "", user_id: str | None = None
) -> None:
    data = {"n": n, "sent_at": time.time(), "padding": padding}
    event = {"type": "bench.round", "data": data, **({"user_id": user_id} if user_id else {})}
    (await http.post("/events", json=event)).raise_for_status()


async def ask_health(address: str, health: list[float]) -> None:
    async with httpx.AsyncClient() as http:
        while True:
            began = time.perf_counter()
            (await http.get(f"{address}/health")).raise_for_status()
            health.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(HEALTH_SECONDS)


async def find_users(address: str, tokens: Sequence[str]) -> list[str]:
    """Their ids; who asks for the first time is created."""
    async with httpx.AsyncClient(base_url=address) as http:
        answers = [
            await http.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
            for token in tokens
        ]
    return [answer.raise_for_status().json()["data"]["id"] for answer in answers]


@contextmanager
def holding(
    program: Program, tokens: Sequence[str], count: int, deliveries: int
) -> Iterator[Connection]:
    """That many streams, in a process of their own.

    It tells how long the opening took, and then, once there are so many, all deliveries.
    """
    ours, theirs = multiprocessing.Pipe()
    address = urlsplit(program.api).netloc
    client = multiprocessing.Process(
        target=hold, args=(address, tokens, count, deliveries, theirs), daemon=True
    )
    client.start()
    theirs.close()  # so that its end is seen here
    try:
        yield ours
    finally:
        client.terminate()
        client.join()


def receive(streams: Connection) -> Any:
    try:
        if streams.poll(LOST_SECONDS):
            return streams.recv()
    except EOFError:
        pass  # it has said why
    raise SystemExit("Events were lost, or the streams do not open")


# The clients, in a process of their own


class StreamClient(asyncio.Protocol):
    """One open stream, which notes when each event came."""

    def __init__(self, request: bytes, received: list[Delivery]) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self._request = request
        self._received = received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]  # of a connection it can

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self._judge_opening(data)
        now = time.time()
        for event in data.split(MARK)[1:]:
            n, _, rest = event.partition(b",")
            sent_at = float(rest.partition(b":")[2].partition(b",")[0])
            self._received.append((int(n), now - sent_at))

    def _judge_opening(self, data: bytes) -> None:
        if b"retry:" in data:
            self.opened.set_result(None)
        elif not data.startswith(b"HTTP/1.1 200"):
            self.opened.set_exception(ConnectionError(f"a stream was refused: {data.decode()}"))

    def connection_lost(self, _: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("a stream was cut"))


def hold(
    address: str, tokens: Sequence[str], count: int, deliveries: int, parent: Connection
) -> None:
    """Opens the streams, and says what came when everything has."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(hold_streams(address, tokens, count, deliveries, parent))


async def hold_streams(
    address: str, tokens: Sequence[str], count: int, deliveries: int, parent: Connection
) -> None:
    received: list[Delivery] = []
    host, port = address.split(":")
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(token: str) -> None:
        request = (
            f"GET /events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        loop = asyncio.get_running_loop()
        async with gate:
            _, client = await loop.create_connection(
                lambda: StreamClient(request.encode(), received), host, int(port)
            )
            await client.opened

    began = time.perf_counter()
    await asyncio.gather(*(open_one(tokens[number % len(tokens)]) for number in range(count)))
    parent.send(time.perf_counter() - began)
    while len(received) < deliveries:  # noqa: ASYNC110  # the load is what is measured
        await asyncio.sleep(0.1)
    parent.send(received)
    await asyncio.to_thread(parent.recv)


def raise_file_limit(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(f"Needs {needed} open files; the limit is {hard}: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


if __name__ == "__main__":
    main()
