"""What our connection class and our protocol cost or save, against Quart's, Uvicorn's and Granian.

    python -m benchmarks.connection [--rounds 5] [--seconds 2] [--connections 32]

Each combination serves the same application in a process of its own.
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import uvicorn
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server as Granian
from quart import Quart, request

from benchmarks.installation import cpu_seconds
from benchmarks.load import run_load
from benchmarks.measurement import measure_in_turns
from benchmarks.peers.serving import Peer, find_free_port, stop, wait_for_listener
from benchmarks.report import Report
from myapp.connection import Connection, Request
from myapp.listener import bind
from myapp.server import serve

QUART = "Quart's class, Uvicorn's protocol"
SERVERS = (QUART, "Quart's class, our protocol", "our class, our protocol", "our class, Granian")
BODY = '{"name": "Ada Lovelace", "phone": "+442079460000"}'
LOADS = {"GET": "constant answer", "POST": "JSON body read and answered"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(run_server(options.serve, options.port))
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    report = Report("connection", "Servers and connections under Quart", packages=["granian"])
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name)) for name in SERVERS}
        for method, title in LOADS.items():
            contenders = {
                name: partial(ask, server, method, options) for name, server in servers.items()
            }
            rounds = measure_in_turns(contenders, options.rounds)
            report.add_rounds(f"{title} ({method})", rounds, ratio_to=QUART, of="requests/s")
    report.finish()


def ask(server: Peer, method: str, options: argparse.Namespace) -> dict[str, float]:
    before = cpu_seconds(server.pid)
    load = run_load(
        server.url,
        seconds=options.seconds,
        connections=options.connections,
        method=method,
        headers={"Content-Type": "application/json"},
        body=BODY if method == "POST" else None,
    )
    cost = (cpu_seconds(server.pid) - before) / load.requests * 1e6
    return {**load.quantities, "µs of CPU each": cost}


@contextmanager
def serving(name: str) -> Iterator[Peer]:
    port = find_free_port()
    command = [sys.executable, "-m", "benchmarks.connection", "--serve", name, "--port", str(port)]
    process = subprocess.Popen(command)
    try:
        wait_for_listener(port)
        yield Peer(f"http://127.0.0.1:{port}/", process.pid)
    finally:
        stop(process)


# The servers, each in a process of its own


async def run_server(name: str, port: int) -> None:
    """Serves until the process is ended."""
    app = make_app(ours=name.startswith("our"))
    if "Uvicorn" in name:
        config = uvicorn.Config(
            app, port=port, log_config=None, access_log=False, lifespan="off", ws="none"
        )
        await uvicorn.Server(config).serve()
    elif "Granian" in name:
        await Granian(
            app,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
        ).serve()
    else:
        sockets = bind("127.0.0.1", port)
        await serve(app, sockets, stop=asyncio.Event(), drain_seconds=0, deadline=1)


def make_app(*, ours: bool) -> Quart:
    app = Quart(__name__)
    if ours:
        app.asgi_http_class = Connection
        app.request_class = Request

    @app.get("/")
    async def constant() -> str:
        return "hello"

    @app.post("/")
    async def read() -> dict[str, str]:
        data = await request.get_json()
        return {"name": data["name"]}

    return app


if __name__ == "__main__":
    main()
