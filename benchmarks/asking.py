"""`GET /auth/me` as people ask it who are signed in."""

from collections.abc import Sequence

import httpx

from benchmarks.installation import cpu_seconds
from benchmarks.load import run_load
from benchmarks.measurement import Quantities
from benchmarks.peers.serving import Peer

PATH = "/auth/me"


def sign_in(server: Peer, tokens: Sequence[str]) -> None:
    """The first request of each user creates them."""
    with httpx.Client() as http:
        for token in tokens:
            http.get(server.url + PATH, headers=headers_of(token)).raise_for_status()


def ask_signed_in(
    server: Peer, tokens: Sequence[str], seconds: int, connections: int
) -> Quantities:
    """The users take turns."""
    before = cpu_seconds(server.pid)
    load = run_load(
        server.url + PATH,
        seconds=seconds,
        connections=connections,
        turns=[headers_of(token) for token in tokens],
    )
    cost = (cpu_seconds(server.pid) - before) / load.requests * 1e6
    return {**load.quantities, "µs of CPU each": cost}


def headers_of(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
