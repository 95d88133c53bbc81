"""A storm: clients over two processes are cut at random while events are published.

    python -m benchmarks.storm [--clients 40] [--rate 200] [--seconds 20]

Every client comes back by its last id, to whichever process. Says what was lost, repeated or out
of order; exit status 1 if anything was.
"""

import argparse
import asyncio
import sys

from benchmarks.installation import new_installation
from benchmarks.measurement import spread_of
from benchmarks.report import Report
from tests.support.storm import Storm, run_storm


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--rate", type=float, default=200, help="events a second")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    report = Report("storm", "Live events while clients are cut at random")
    outcome = run(options)
    fill_in(report, outcome)
    report.finish()
    sys.exit(bool(outcome.faults))


def run(options: argparse.Namespace) -> Storm:
    with (
        new_installation() as installation,
        installation.serving() as one,
        installation.serving() as other,
    ):
        return asyncio.run(
            run_storm(
                [one.api, other.api],
                tokens=installation.tokens(max(1, options.clients // 4)),
                key=installation.key("events:publish"),
                clients=options.clients,
                rate=options.rate,
                seconds=options.seconds,
            )
        )


def fill_in(report: Report, outcome: Storm) -> None:
    delays = [lag * 1000 for listener in outcome.listeners for lag in listener.lags]
    rows = {
        "events published": len(outcome.published),
        "in seconds": outcome.seconds,
        "clients": len(outcome.listeners),
        "their connections, cut at random": sum(each.connections for each in outcome.listeners),
        "deliveries": len(delays),
        "median delay, of those away included, ms": spread_of(delays).median,
    }
    report.add_table("The storm", ["", "measured"], list(rows.items()))
    report.add_values("The storm", rows)
    report.add_target("events lost, repeated or out of order", len(outcome.faults), at_most=0)
    for fault in outcome.faults:
        report.add_note(fault)


if __name__ == "__main__":
    main()
