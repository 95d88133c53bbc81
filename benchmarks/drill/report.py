"""The drill's findings, as tables for people and as a file for programs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.drill.accounting import Findings, PutBack
from benchmarks.drill.faults import RECOVERY_SECONDS, Suffered
from benchmarks.drill.feature import TOIL, WORK
from benchmarks.drill.fleet import WORKERS, Fleet
from benchmarks.drill.ledger import OPERATIONS, Ledger
from benchmarks.drill.load import PACE
from benchmarks.report import Report

AGAIN_SECONDS = 30.0  # until what a killed worker did is begun anew, as is promised
SHOWN = 5  # of each kind of unexpected answer


def faults_found(
    fleet: Fleet,
    findings: Findings,
    ledger: Ledger,
    suffered: Sequence[Suffered],
    stops: Sequence[str],
) -> list[str]:
    """What must not be, in sentences."""
    found = [
        f"{account.lost} {name} lost" for name, account in findings.accounts.items() if account.lost
    ]
    found += [
        f"{findings.accounts[name].repeated} {name} more than once"
        for name in ("notifications", "their events", "published events", "people", "cron ticks")
        if findings.accounts[name].repeated
    ]
    if unwell := {status: n for status, n in findings.jobs.items() if status != "complete"}:
        found.append(f"jobs not done: {unwell}")
    if findings.drained is None:
        found.append("not drained in time")
    if ledger.resyncs:
        found.append(f"{ledger.resyncs} streams were told to resync")
    found += [
        f"not well again within {RECOVERY_SECONDS:.0f} s after {each.fault}"
        for each in suffered
        if each.recovered is None
    ]
    found += [
        f"no long job was under way at {each.fault}"
        for each in suffered
        if each.caught == frozenset()
    ]
    found += [
        f"jobs ran again only {again} s after {each.fault}"
        for each in suffered
        if (again := begun_again(each, findings)) and was_late(each, again, fleet)
    ]
    found += [
        f"nothing was put back at {each.fault}"
        for each in suffered
        if each.fault.deed == "stopped" and not put_back_at(each, findings)
    ]
    if charged := [each for each in findings.put_back if not each.is_same]:
        found.append(f"put back, and not begun again as the same attempt: {charged}")
    found += [text for each in suffered for text in each.wrong]
    found += [f"{n} times {text}" for text, n in ledger.unexpected.most_common(SHOWN)]
    found += [f"{n} errors logged: {text}" for text, n in findings.errors.most_common(SHOWN)]
    return [*found, *stops]


def write_report(
    folder: Path,
    fleet: Fleet,
    ledger: Ledger,
    findings: Findings,
    suffered: Sequence[Suffered],
    stops: Sequence[str],
    notes: Sequence[str],
    *,
    seed: int,
) -> bool:
    """Whether all is well."""
    report = Report("drill", f"The drill on {fleet.database.name}, seed {seed}")
    report.add_table(
        "What was accepted",
        ["", "accepted", "kept", "lost", "repeated"],
        [
            [name, str(each.accepted), str(each.kept), str(each.lost), str(each.repeated)]
            for name, each in findings.accounts.items()
        ],
    )
    runs = {task: count_runs(jobs) for task, jobs in sorted(findings.begun.items())}
    rows = [row_of(each, ledger, findings, suffered[0].began) for each in suffered]
    report.add_table(
        "Faults, in seconds: without a success beyond the usual pause, and the slowest way",
        [
            "",
            "at",
            "lasted",
            "well after",
            *OPERATIONS,
            "told",
            "pushed",
            "caught",
            "put back",
            "again",
        ],
        [list(row.values()) for row in rows],
    )
    report.add_table(
        "Jobs that workers began",
        ["", "jobs", "begun more than once", "begun in all"],
        [[task, *map(str, row.values())] for task, row in runs.items()],
    )
    found = faults_found(fleet, findings, ledger, suffered, stops)
    report.add_values("seed", seed)
    report.add_values(
        "accounts",
        {name: {**asdict(each), "lost": each.lost} for name, each in findings.accounts.items()},
    )
    report.add_values("faults", rows)
    report.add_values("jobs", runs)
    report.add_values("found", found)
    report.add_target("lost", findings.lost, at_most=0)
    report.add_target("other faults found", len(found), at_most=0)
    drained = "never" if findings.drained is None else f"{findings.drained:.1f} s"
    report.add_note(f"Nothing was left to do after {drained}; jobs: {dict(findings.jobs)}.")
    report.add_note(
        "At a fault of workers, caught are the long jobs that were under way in them, and again is "
        f"when the last of these that was begun once more was; {findings.redone} were past their "
        "middle by then."
    )
    count, same = len(findings.put_back), sum(each.is_same for each in findings.put_back)
    report.add_note(
        f"Put back by workers that were told to stop: {count} jobs, of which {same} were begun "
        "again as the same attempt."
    )
    if ticks := findings.ticks:
        report.add_note(
            f"Of {ticks.due} ticks of the cron {ticks.passed} passed while no scheduler or no "
            "Redis was there, and one that fired on return stood for them. "
            f"Missing: {[*ticks.missing] or 'none'}; fired again: {[*ticks.repeated] or 'none'}."
        )
    report.add_note(f"Started again because they ended by themselves: {dict(fleet.restarts)}.")
    for note in notes:
        report.add_note(note)
    report.add_note("FAILED: " + "; ".join(found) if found else "Nothing was lost.")
    report.finish(folder)
    return not found


def row_of(
    each: Suffered, ledger: Ledger, findings: Findings, origin: float
) -> dict[str, str | float]:
    end = each.recovered or each.ended + RECOVERY_SECONDS
    accepted = {
        key: moment for key, moment in ledger.notifications.items() if each.began <= moment <= end
    }
    return {
        "fault": str(each.fault),
        "at": round(each.began - origin, 1),
        "lasted": round(each.ended - each.began, 1),
        "well after": "never" if each.recovered is None else round(each.recovered - each.began, 1),
        **{
            name: round(ledger.longest_gap(name, each.began, end, usual=1 / PACE[name]), 1)
            for name in OPERATIONS
        },
        "told": slowest(accepted, ledger.told),
        "pushed": slowest(accepted, findings.pushed),
        "caught": "" if each.caught is None else len(each.caught),
        "put back": len(put_back_at(each, findings)) if each.fault.deed == "stopped" else "",
        "again": begun_again(each, findings) or "",
    }


def was_late(each: Suffered, again: float, fleet: Fleet) -> bool:
    """Whether jobs of the killed waited longer than is promised, and no later fault was why."""
    seers = [fleet.parts[name] for name in ("redis", *WORKERS)]
    later = [
        outage
        for part in seers
        for outage in part.outages
        if each.ended < outage.began < each.began + again
    ]
    return each.fault.deed == "killed" and again > AGAIN_SECONDS and not later


def put_back_at(each: Suffered, findings: Findings) -> list[PutBack]:
    """What a worker put back as it was told to stop."""
    return [one for one in findings.put_back if each.began <= one.moment <= each.ended]


def begun_again(each: Suffered, findings: Findings) -> float | None:
    """When the last of the jobs that a fault caught was begun anew, in seconds after it."""
    begun = {**findings.begun.get(WORK.name, {}), **findings.begun.get(TOIL.name, {})}
    later = [
        min(after)
        for job in each.caught or ()
        if (after := [moment for moment in begun.get(job, []) if moment > each.began])
    ]
    return round(max(later) - each.began, 1) if later else None


def count_runs(jobs: Mapping[str, Sequence[float]]) -> dict[str, int]:
    """Of one task: its jobs, how many of them were begun more than once, and all beginnings."""
    return {
        "jobs": len(jobs),
        "begun more than once": sum(len(times) > 1 for times in jobs.values()),
        "begun in all": sum(map(len, jobs.values())),
    }


def slowest(accepted: Mapping[str, float], done: Mapping[str, Iterable[float]]) -> float:
    """The longest time from the acceptance of one of these until it was done, in seconds."""
    ways = [min(done[key]) - moment for key, moment in accepted.items() if key in done]
    return round(max([0.0, *ways]), 1)
