"""What our connection class and our protocol cost or save, against Quart's and Uvicorn's own.

    python benchmarks/connection.py [--rounds 5] [--seconds 3] [--connections 32]

Each combination serves the same application in a process of its own; rounds are interleaved, so
that a busy machine is unfair to all alike. With wrk where it is installed, else with a small
client of ours, which is slower than the servers and only good for comparing.
"""

import argparse
import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.request import urlopen

import uvicorn
import uvloop
from quart import Quart, request

from myapp.connection import Connection, Request
from myapp.listener import bind
from myapp.server import serve

SERVERS = {
    "quart-uvicorn": "Quart's class, Uvicorn's protocol",
    "quart": "Quart's class, our protocol",
    "ours": "our class, our protocol",
}
BODY = '{"name": "Ada Lovelace", "phone": "+442079460000"}'
LOADS = {"GET": "constant answer", "POST": "JSON body read and answered"}
LUA = f"""
wrk.method = "POST"
wrk.body = '{BODY}'
wrk.headers["Content-Type"] = "application/json"
"""


def make_app(name: str) -> Quart:
    app = Quart(__name__)
    if name == "ours":
        app.asgi_http_class = Connection
        app.request_class = Request

    @app.get("/")
    async def constant() -> str:
        return "hello"

    @app.get("/cpu")
    async def get_cpu_seconds() -> str:
        return str(time.process_time())

    @app.post("/")
    async def read() -> dict[str, str]:
        data = await request.get_json()
        return {"name": data["name"]}

    return app


async def run_server(name: str) -> None:
    """Serves until the process is ended; says its port first."""
    sockets = bind("127.0.0.1", 0)
    print(sockets[0].getsockname()[1], flush=True)
    app = make_app(name)
    if name == "quart-uvicorn":
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
        await uvicorn.Server(config).serve(sockets)
    else:
        await serve(app, sockets, stop=asyncio.Event(), drain_seconds=0, deadline=1)


@contextmanager
def serving(name: str) -> Iterator[int]:
    command = [sys.executable, __file__, "--serve", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class Result(NamedTuple):
    """Requests a second, and what one costs the server in microseconds of processor time.

    The latter hardly minds what else the machine does.
    """

    rate: float
    cost: float


def measure(port: int, method: str, *, seconds: float, connections: int) -> Result:
    before = get_cpu_seconds(port)
    rate = load(port, method, seconds=seconds, connections=connections)
    return Result(rate, (get_cpu_seconds(port) - before) / (rate * seconds) * 1e6)


def get_cpu_seconds(port: int) -> float:
    with urlopen(f"http://127.0.0.1:{port}/cpu") as answer:
        return float(answer.read())


def load(port: int, method: str, *, seconds: float, connections: int) -> float:
    """Requests a second."""
    if shutil.which("wrk") is None:
        return uvloop.run(ask_for(port, method, seconds=seconds, connections=connections))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA if method == "POST" else "")
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", script.name]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True
        )
    if "Non-2xx" in done.stdout:
        raise SystemExit(done.stdout)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found is not None
    return float(found[1])


async def ask_for(port: int, method: str, *, seconds: float, connections: int) -> float:
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(*(ask(port, method, until) for _ in range(connections)))
    return sum(counts) / seconds


async def ask(port: int, method: str, until: float) -> int:
    """One connection's requests, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = BODY if method == "POST" else ""
    head = f"{method} / HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    message = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    count = 0
    while time.perf_counter() < until:
        writer.write(message)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer)
        assert length is not None
        await reader.readexactly(int(length[1]))
        count += 1
    writer.close()
    return count


def compare(*, rounds: int, seconds: float, connections: int) -> None:
    results: dict[tuple[str, str], list[Result]] = {}
    for number in range(rounds):
        for name in SERVERS:
            with serving(name) as port:
                for method in LOADS:
                    result = measure(port, method, seconds=seconds, connections=connections)
                    results.setdefault((name, method), []).append(result)
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    print_table(results)


def print_table(results: Mapping[tuple[str, str], Sequence[Result]]) -> None:
    first = next(iter(SERVERS))
    for method, title in LOADS.items():
        print(f"\n{title} ({method}); medians, against the first")
        print(f"{'':36}{'requests/s':>20}{'µs of CPU each':>20}")
        base = take_median(results[first, method])
        for name, server in SERVERS.items():
            median = take_median(results[name, method])
            rate = f"{median.rate:13.0f} {median.rate / base.rate:5.2f}x"
            cost = f"{median.cost:13.0f} {median.cost / base.cost:5.2f}x"
            print(f"{server:36}{rate}{cost}")


def take_median(results: Sequence[Result]) -> Result:
    return Result(
        statistics.median(one.rate for one in results),
        statistics.median(one.cost for one in results),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--serve", choices=list(SERVERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(run_server(options.serve))
    else:
        compare(rounds=options.rounds, seconds=options.seconds, connections=options.connections)


if __name__ == "__main__":
    main()
