"""`GET /auth/me`, signed in, with everything on, beside applications that do the same.

    python -m benchmarks.me [--rounds 5] [--seconds 3] [--connections 32] [--users 100]

Each contender is one process; so many users take turns. All write a line of log for each request,
one bare route excepted; ours counts metrics and gives each request its id, too.
"""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import jwt

from benchmarks.asking import PATH, ask_signed_in, sign_in
from benchmarks.installation import Installation, new_installation
from benchmarks.measurement import Rounds, measure_in_turns
from benchmarks.peers.database import add_users
from benchmarks.peers.serving import Peer, serving
from benchmarks.report import Report

FASTAPI = "FastAPI, SQLAlchemy"
LITESTAR = "Litestar, SQLAlchemy"
QUART = "bare Quart route"
SILENT = "bare Quart route, no log"
OURS = "myapp"
RATE = "requests/s"
TARGETS = {FASTAPI: 3, LITESTAR: 2.5, QUART: 0.85}
WARM_UP_SECONDS = 2
PACKAGES = ("fastapi", "litestar", "sqlalchemy", "aiosqlite")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load, each time")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--users", type=int, default=100)
    options = parser.parse_args()
    report = Report("me", "GET /auth/me, signed in", packages=PACKAGES)
    with new_installation() as installation, ExitStack() as stack:
        tokens = installation.tokens(options.users)
        servers = start_all(installation, tokens, stack)
        sign_in(servers[OURS], tokens)
        for server in servers.values():
            ask_signed_in(server, tokens, WARM_UP_SECONDS, options.connections)
        contenders = {
            name: partial(ask_signed_in, server, tokens, options.seconds, options.connections)
            for name, server in servers.items()
        }
        fill_in(report, measure_in_turns(contenders, options.rounds))
    report.finish()


def start_all(
    installation: Installation, tokens: Sequence[str], stack: ExitStack
) -> dict[str, Peer]:
    """Every contender, with the same users; the peers have them in a database of their own."""
    program = stack.enter_context(installation.serving())
    secret = (installation.folder / "data" / "identity.key").read_text().strip()
    database = str(installation.folder / "peers.db")
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    asyncio.run(add_users(database, [(one["sub"], one["email"]) for one in claims]))

    def start(module: str, *options: str) -> Peer:
        peer = serving(
            module, installation.folder, *options, PEER_DATABASE=database, PEER_SECRET=secret
        )
        return stack.enter_context(peer)

    return {
        OURS: Peer(program.api, program.process.pid),
        FASTAPI: start("fastapi_app"),
        LITESTAR: start("litestar_app"),
        QUART: start("quart_app"),
        SILENT: start("quart_app", "--no-access-log"),
    }


def fill_in(report: Report, rounds: Rounds) -> None:
    report.add_rounds(f"GET {PATH}", rounds, ratio_to=QUART, of=RATE)
    for peer, wanted in TARGETS.items():
        ratio = rounds.ratio(OURS, peer, RATE).median
        report.add_target(f"GET {PATH}: {RATE}, times {peer}", ratio, at_least=wanted)


if __name__ == "__main__":
    main()
