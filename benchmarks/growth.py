"""How the program grows: with its processes, and with the streams that are open.

    python -m benchmarks.growth [--rounds 5] [--seconds 3] [--connections 64]
        [--streams 100 1000 10000] [--deliveries 50000]

First `GET /auth/me` of one process and of WEB_CONCURRENCY=2. Then events for everybody, in one
process with more and more streams: the processor time for each event that is delivered, apart from
what it takes to publish it and to keep the streams open. How lists grow is in users.py.
"""

import argparse
import asyncio
import resource
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from benchmarks.asking import ask_signed_in, sign_in
from benchmarks.installation import Installation, cpu_seconds, new_installation
from benchmarks.measurement import Quantities, Rounds, measure_in_turns
from benchmarks.peers.serving import Peer
from benchmarks.report import Report
from benchmarks.streams import (
    find_users,
    holding,
    publish,
    publisher,
    raise_file_limit,
    receive,
)

ONE, TWO = "one process", "WEB_CONCURRENCY=2"
RATE, COST, LOAD_COST = "requests/s", "µs of CPU each", "µs of wrk's each"
STREAM_USERS = 1_001  # ten streams each, as many as one may have, and one without
BATCHES = 3
DELIVERY_SECONDS = 100e-6  # that an event is given for each stream, before the next one comes
FLAT = 1.5  # times the cost with the fewest streams, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--streams", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--deliveries", type=int, default=50_000, help="with each of them")
    options = parser.parse_args()
    raise_file_limit(max(options.streams) + 200)
    report = Report("growth", "Growth with processes and with streams")
    with new_installation() as installation:
        tokens = installation.tokens(STREAM_USERS)
        compare_processes(report, installation, tokens[:100], options)
        compare_streams(report, installation, tokens, options)
    report.finish()


# Processes


def compare_processes(
    report: Report, installation: Installation, tokens: Sequence[str], options: argparse.Namespace
) -> None:
    with ExitStack() as stack:
        servers = {}
        for name, count in ((ONE, "1"), (TWO, "2")):
            program = stack.enter_context(installation.serving(WEB_CONCURRENCY=count))
            servers[name] = Peer(program.api, program.process.pid)
        sign_in(servers[ONE], tokens)
        contenders = {
            name: partial(ask, server, tokens, options) for name, server in servers.items()
        }
        for measure in contenders.values():
            measure()  # until both are warm
        rounds = measure_in_turns(contenders, options.rounds)
    report.add_rounds("GET /auth/me", rounds, ratio_to=ONE, of=RATE)
    ratio = rounds.ratio(TWO, ONE, RATE).median
    report.add_target("WEB_CONCURRENCY=2, times one process", ratio, at_least=1.6)
    report.add_note(tell_limit(rounds, report.machine.cores))


def ask(server: Peer, tokens: Sequence[str], options: argparse.Namespace) -> Quantities:
    before = load_seconds()
    measured = ask_signed_in(server, tokens, options.seconds, options.connections)
    requests = measured[RATE] * options.seconds
    return {**measured, LOAD_COST: (load_seconds() - before) / requests * 1e6}


def load_seconds() -> float:
    """Processor time of the commands that have ended: of wrk, here."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tell_limit(rounds: Rounds, cores: int) -> str:
    cost, load = (rounds.spread(TWO, name).median for name in (COST, LOAD_COST))
    most = min(2.0, cores * cost / (cost + load))
    return (
        f"wrk makes the load on the same {cores} cores and takes {load:.0f} µs of them for each "
        f"request, beside our {cost:.0f}: with all cores busy, {most:.2f} times one process is the "
        f"most that two can reach here, with nobody else on the machine."
    )


# Streams


def compare_streams(
    report: Report, installation: Installation, tokens: Sequence[str], options: argparse.Namespace
) -> None:
    key = installation.key("events:publish")
    names = {f"{count:,} streams": count for count in sorted(options.streams)}
    measured = {
        name: deliver(installation, tokens, key, count, max(1, options.deliveries // count))
        for name, count in names.items()
    }
    rounds = Rounds()
    for batch in range(BATCHES):
        rounds.add({name: {COST: costs[batch]} for name, costs in measured.items()})
    fewest, *_, most = rounds.contenders
    report.add_rounds("Events for everybody, each delivery", rounds, ratio_to=fewest, of=COST)
    ratio = rounds.ratio(most, fewest, COST).median
    report.add_target(f"a delivery to {most}, times one to {fewest}", ratio, at_most=FLAT)


def deliver(
    installation: Installation, tokens: Sequence[str], key: str, count: int, events: int
) -> list[float]:
    """Microseconds of processor time for each delivery, in each batch."""
    *theirs, somebody = tokens
    with installation.serving() as program:
        user_id = asyncio.run(find_users(program.api, [somebody]))[0]

        def publish_all(to: str | None = None) -> float:
            before = cpu_seconds(program.process.pid)
            asyncio.run(publish_events(program.api, key, events, count * DELIVERY_SECONDS, to))
            return cpu_seconds(program.process.pid) - before

        with holding(program, theirs, count, count * events * BATCHES) as streams:
            receive(streams)
            publish_all(user_id)
            beside = publish_all(user_id)
            costs = [publish_all() - beside for _ in range(BATCHES)]
            receive(streams)
    return [cost / (count * events) * 1e6 for cost in costs]


async def publish_events(
    address: str, key: str, events: int, pause: float, user_id: str | None
) -> None:
    """For everybody, or for a user who has no stream."""
    async with publisher(address, key) as http:
        for n in range(events):
            await publish(http, n, user_id=user_id)
            await asyncio.sleep(pause)


if __name__ == "__main__":
    main()
