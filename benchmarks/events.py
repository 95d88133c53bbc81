"""Live events under load, against the real program on its embedded default.

    python -m benchmarks.events storm [--clients 40] [--rate 200] [--seconds 20]
    python -m benchmarks.events streams [--streams 10000] [--rounds 20] [--bytes 100]

`storm`: clients over two processes are cut at random while events are published; says what was
lost, repeated or out of order. `streams`: one process holds that many streams open; says what
memory they take, how long an event for everybody needs to reach the last of them, and how quick
`/health` is meanwhile. Each stream takes a file descriptor here and one there.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

import httpx
import uvloop

from benchmarks.installation import Installation, memory_mib, new_installation
from tests.support.storm import run_storm

USERS = 1000  # ten streams each, as many as one may have
OPENING_AT_ONCE = 200
ROUND_SECONDS = 2.0
HEALTH_SECONDS = 0.02  # between two requests
MARK = b'"n":'


def storm(installation: Installation, arguments: argparse.Namespace) -> None:
    with installation.serving() as one, installation.serving() as other:
        result = asyncio.run(
            run_storm(
                [one.api, other.api],
                tokens=installation.tokens(max(1, arguments.clients // 4)),
                key=installation.key("events:publish"),
                clients=arguments.clients,
                rate=arguments.rate,
                seconds=arguments.seconds,
            )
        )
    events = [lag for listener in result.listeners for lag in listener.lags]
    connections = sum(listener.connections for listener in result.listeners)
    print(f"published   {len(result.published)} in {result.seconds:.1f} s")
    print(f"delivered   {len(events)} to {len(result.listeners)} clients")
    print(f"connections {connections}, cut at random")
    print(f"delay       median {statistics.median(events) * 1000:.0f} ms, of those away included")
    print("faults      none" if not result.faults else "\n".join(result.faults))
    sys.exit(bool(result.faults))


def streams(installation: Installation, arguments: argparse.Namespace) -> None:
    raise_file_limit(arguments.streams + 200)
    with installation.serving() as program:
        tokens, key = installation.tokens(USERS), installation.key("events:publish")
        before = memory_mib(program.process.pid)
        ours, theirs = multiprocessing.Pipe()
        address = urlsplit(program.api).netloc
        client = multiprocessing.Process(
            target=hold, args=(address, tokens, arguments.streams, arguments.rounds, theirs)
        )
        client.start()
        theirs.close()  # so that its end is seen here
        seconds = ours.recv()
        print(f"opened      {arguments.streams} streams in {seconds:.1f} s")
        health = asyncio.run(publish_rounds(program.api, key, arguments))
        print_fan_out(ours.recv())
        after = memory_mib(program.process.pid)
        each = (after - before) * 1024 / arguments.streams
        print(
            f"memory      {before:.0f} MiB before, {after:.0f} MiB with them, {each:.1f} KiB each"
        )
        quantiles = statistics.quantiles(health, n=100)
        print(
            f"/health     median {quantiles[49] * 1000:.1f} ms, p99 {quantiles[98] * 1000:.1f} ms"
        )
        print(f"            over {len(health)} requests")
        ours.send("close")
        client.join()


async def publish_rounds(address: str, key: str, arguments: argparse.Namespace) -> list[float]:
    """Publishes one event after the other to everybody; how long /health takes meanwhile."""
    health: list[float] = []
    asking = asyncio.create_task(ask_health(address, health))
    async with httpx.AsyncClient(headers={"X-API-Key": key}) as http:
        for n in range(arguments.rounds):
            data = {"n": n, "sent_at": time.time(), "padding": "x" * arguments.bytes}
            event = {"type": "bench.round", "data": data}
            (await http.post(f"{address}/events", json=event)).raise_for_status()
            await asyncio.sleep(ROUND_SECONDS)
    asking.cancel()
    return health


async def ask_health(address: str, health: list[float]) -> None:
    async with httpx.AsyncClient() as http:
        while True:
            began = time.perf_counter()
            (await http.get(f"{address}/health")).raise_for_status()
            health.append(time.perf_counter() - began)
            await asyncio.sleep(HEALTH_SECONDS)


def print_fan_out(rounds: Sequence[Sequence[float]]) -> None:
    """Each round has the delays, in seconds, with which it came to the clients."""
    counts = {len(delays) for delays in rounds}
    last = [max(delays) for delays in rounds]
    every = [delay for delays in rounds for delay in delays]
    print(f"delivered   each of {len(rounds)} events to {' or '.join(map(str, counts))} streams")
    print(f"one stream  median {statistics.median(every) * 1000:.0f} ms after publishing")
    print(
        f"the last    median {statistics.median(last) * 1000:.0f} ms, worst {max(last) * 1000:.0f}"
    )


# The clients, in a process of their own


class StreamClient(asyncio.Protocol):
    """One open stream, which notes when each event came."""

    def __init__(self, request: bytes, rounds: Sequence[list[float]]) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self._request = request
        self._rounds = rounds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]  # of a connection it can

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self._judge_opening(data)
        at = data.find(MARK)
        if at >= 0:
            now = time.time()
            n, _, rest = data[at + len(MARK) :].partition(b",")
            sent_at = float(rest.partition(b":")[2].partition(b",")[0])
            self._rounds[int(n)].append(now - sent_at)

    def _judge_opening(self, data: bytes) -> None:
        if b"retry:" in data:
            self.opened.set_result(None)
        elif not data.startswith(b"HTTP/1.1 200"):
            self.opened.set_exception(ConnectionError(f"a stream was refused: {data.decode()}"))

    def connection_lost(self, _: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("a stream was cut"))


def hold(address: str, tokens: Sequence[str], count: int, rounds: int, parent: Connection) -> None:
    """Opens the streams, and says what came when every round is through."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(hold_streams(address, tokens, count, rounds, parent))


async def hold_streams(
    address: str, tokens: Sequence[str], count: int, rounds: int, parent: Connection
) -> None:
    received: list[list[float]] = [[] for _ in range(rounds)]
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
    while len(received[-1]) < count:  # noqa: ASYNC110  # the load is what is measured
        await asyncio.sleep(0.1)
    parent.send(received)
    await asyncio.to_thread(parent.recv)


def raise_file_limit(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(f"Needs {needed} open files; the limit is {hard}: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("storm")
    one.add_argument("--clients", type=int, default=40)
    one.add_argument("--rate", type=float, default=200)
    one.add_argument("--seconds", type=float, default=20)
    one.set_defaults(run=storm)
    other = commands.add_parser("streams")
    other.add_argument("--streams", type=int, default=10_000)
    other.add_argument("--rounds", type=int, default=20)
    other.add_argument("--bytes", type=int, default=100)
    other.set_defaults(run=streams)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}")
    with new_installation() as installation:
        arguments.run(installation, arguments)


if __name__ == "__main__":
    main()
