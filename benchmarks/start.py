"""How soon the program is there, and what it takes while nothing happens.

    python -m benchmarks.start [--rounds 5] [--seconds 20]

All from the start of the process: `--help` until it has ended, the dashboard until its first
picture, all roles with the embedded server until `ready`, in an empty folder and in one that was
used before. Then all roles idle for so many seconds, every process of the installation counted.
"""

import argparse
import subprocess
import sys
import time

from benchmarks.installation import Installation, cpu_seconds, memory_mib, new_installation
from benchmarks.measurement import Quantities, Rounds, measure_in_turns
from benchmarks.report import Report, tabulate
from tests.support.program import processes_of
from tests.support.terminal import on_a_terminal

PROGRAM = (sys.executable, "-m", "myapp")
SETTLE_SECONDS = 3.0  # from `ready` to when nothing happens
SECONDS = "seconds"
HELP, DASHBOARD = "myapp --help", "myapp tui"
FIRST, AGAIN = "all roles, empty folder", "all roles, used folder"
TARGETS = {HELP: 0.3, DASHBOARD: 1.5, FIRST: 2.0, AGAIN: 2.0}
IDLE_MB, IDLE_PERCENT = 160, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="of idleness")
    options = parser.parse_args()
    report = Report("start", "Start and idleness")
    with new_installation() as installation:
        start(installation)
        contenders = {
            HELP: lambda: ask_for_help(installation),
            DASHBOARD: lambda: open_dashboard(installation),
            FIRST: start_afresh,
            AGAIN: lambda: start(installation),
        }
        add_starts(report, measure_in_turns(contenders, options.rounds))
        add_idleness(report, idle(installation, options.seconds))
    report.finish()


def ask_for_help(installation: Installation) -> Quantities:
    began = time.perf_counter()
    command = [*PROGRAM, "--help"]
    subprocess.run(command, env=installation.env, stdout=subprocess.DEVNULL, check=True)
    return {SECONDS: time.perf_counter() - began}


def open_dashboard(installation: Installation) -> Quantities:
    """Until its footer is drawn, which comes with the first picture."""
    began = time.perf_counter()
    with on_a_terminal(*PROGRAM, "tui", env=installation.env, cwd=installation.folder) as terminal:
        terminal.until(lambda text: "Quit" in text)
        return {SECONDS: time.perf_counter() - began}


def start_afresh() -> Quantities:
    with new_installation() as installation:
        return start(installation)


def start(installation: Installation) -> Quantities:
    began = time.perf_counter()
    with installation.serving("--role=all"):
        return {SECONDS: time.perf_counter() - began}


def idle(installation: Installation, seconds: float) -> dict[str, Quantities]:
    """Memory and share of a core, by what the process is."""
    with installation.serving("--role=all") as program:
        time.sleep(SETTLE_SECONDS)
        others = [pid for pid in processes_of(installation.folder) if pid != program.process.pid]
        pids = {"myapp": [program.process.pid], "embedded Valkey and its watcher": others}
        before = {name: sum(map(cpu_seconds, group)) for name, group in pids.items()}
        time.sleep(seconds)
        return {
            name: {
                "memory, MB": sum(map(memory_mib, group)) * 1.048576,
                "% of a core": (sum(map(cpu_seconds, group)) - before[name]) / seconds * 100,
            }
            for name, group in pids.items()
        }


def add_starts(report: Report, rounds: Rounds) -> None:
    rows = [[name, rounds.spread(name, SECONDS)] for name in rounds.contenders]
    report.add_table("From the start of the process", ["", SECONDS], rows)
    report.add_values("From the start of the process", tabulate(rounds))
    for name, seconds in TARGETS.items():
        report.add_target(name, rounds.spread(name, SECONDS).median, at_most=seconds, unit="s")


def add_idleness(report: Report, measured: dict[str, Quantities]) -> None:
    names = list(measured["myapp"])
    total = {name: sum(each[name] for each in measured.values()) for name in names}
    rows = [[who, *each.values()] for who, each in {**measured, "together": total}.items()]
    report.add_table("All roles, idle", ["", *names], rows)
    report.add_values("All roles, idle", measured)
    report.add_target("idle, memory", total[names[0]], at_most=IDLE_MB, unit="MB")
    report.add_target("idle, share of a core", total[names[1]], at_most=IDLE_PERCENT, unit="%")


if __name__ == "__main__":
    main()
