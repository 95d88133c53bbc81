"""What became of everything that was accepted: kept or lost, once or more often."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from benchmarks.drill.faults import Suffered
from benchmarks.drill.feature import TICK_SECONDS, TICKS, tick_of
from benchmarks.drill.fleet import Fleet
from benchmarks.drill.history import moment_of, read_logs
from benchmarks.drill.ledger import Ledger
from benchmarks.drill.ticks import TickFindings, close_ticks, judge, outages_of
from myapp.config import Settings
from myapp.database.connection import Client, open_database
from myapp.database.file import File, FileStatus
from myapp.database.notification import Notification
from myapp.database.outbox import OutboxRow
from myapp.database.user import User
from myapp.errors import Unavailable
from myapp.queue.keys import Key

DRAIN_SECONDS = 90.0
LOOK_SECONDS = 0.25
QUEUES = ("default", "low")
STATUSES = ("scheduled", "queued", "active", "complete", "failed", "cancelled")
ERRORS = {"error", "critical"}
UNFINISHED = {"scheduled", "queued", "active"}


@dataclass(frozen=True)
class Account:
    """Of one kind of thing: how many were accepted, and what became of them."""

    accepted: int
    kept: int
    repeated: int

    @property
    def lost(self) -> int:
        return self.accepted - self.kept


@dataclass
class PutBack:
    """A job that a worker put back since it was told to stop: when, in which attempt, and the
    attempt that came next, which has to be the same one.
    """

    job: str
    moment: float
    attempt: int
    next: int | None = None

    @property
    def is_same(self) -> bool:
        return self.next == self.attempt


@dataclass
class Findings:
    """`drained` is how long it took until nothing was left to do, in seconds.

    `begun` has for each task its jobs with the times at which a worker began them; `redone` is
    how many long jobs had come past their middle and then began anew.
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    jobs: Counter[str] = field(default_factory=Counter)
    pushed: dict[str, list[float]] = field(default_factory=dict)
    begun: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    put_back: list[PutBack] = field(default_factory=list)
    redone: int = 0
    ticks: TickFindings | None = None
    drained: float | None = None
    errors: Counter[str] = field(default_factory=Counter)  # defects, in the words of our own logs

    @property
    def lost(self) -> int:
        return sum(account.lost for account in self.accounts.values())


def settings_of(fleet: Fleet) -> Settings:
    """What the fleet's processes are told, and nothing of the reader's own."""
    values = {name.lower(): value for name, value in fleet.env.items()}
    known = {name: values[name] for name in values if name in Settings.model_fields}
    return Settings(_env_file=None, **known)  # type: ignore[arg-type,call-arg]  # pydantic reads text


async def take_stock(
    fleet: Fleet, client: httpx.AsyncClient, ledger: Ledger, suffered: Sequence[Suffered]
) -> Findings:
    """Waits until nothing is left to do, and looks at what was done."""
    findings = Findings()
    began = time.monotonic()
    redis = Redis.from_url(fleet.redis_url, decode_responses=True)
    async with open_database(settings_of(fleet)) as database, redis:
        last_tick = await close_ticks(redis, within=DRAIN_SECONDS)
        while time.monotonic() - began < DRAIN_SECONDS and findings.drained is None:
            await asyncio.sleep(LOOK_SECONDS)
            if await is_drained(redis, ledger):
                findings.drained = time.monotonic() - began
        findings.jobs = await count_jobs(redis)
        findings.errors = Counter(
            line["event"] for line in read_logs(fleet.folder, "*") if line["level"] in ERRORS
        )
        findings.pushed = read_pushes(fleet)
        findings.begun = read_begun(fleet)
        findings.put_back = read_put_back(fleet.folder)
        findings.accounts = await settle(client, ledger, findings.pushed)
        work = await database.client.execute_query_dict("SELECT id, halfway, done FROM drill_work")
        findings.redone = sum(row["halfway"] > 1 for row in work)
        done = {row["id"]: row["done"] for row in work}
        findings.accounts["long jobs"] = compare({*ledger.work, *done}, done)
        due = range(ledger.first_tick, last_tick + 1, TICK_SECONDS)
        said = read_said(fleet)
        fired = await read_ticks(database.client, said)
        findings.ticks = judge(due, fired, said, outages_of(fleet, suffered))
        findings.accounts["cron ticks"] = count_ticks(findings.ticks)
    return findings


async def read_ticks(client: Client, said: Mapping[int, list[float]]) -> dict[int, list[float]]:
    """When each tick was fired whose job was done: more than once also where only `said` so."""
    rows = await client.execute_query_dict("SELECT DISTINCT tick, fired_at FROM drill_tick")
    fired: dict[int, list[float]] = {}
    for row in rows:
        fired.setdefault(row["tick"], []).append(row["fired_at"] / 1000)
    return {tick: max(times, said.get(tick, []), key=len) for tick, times in fired.items()}


def read_said(fleet: Fleet) -> dict[int, list[float]]:
    """When a scheduler said of each tick that it had fired it."""
    said: dict[int, list[float]] = {}
    for line in read_logs(fleet.folder, "scheduler-*"):
        if line["event"] == "cron fired" and line["name"] == TICKS.name:
            said.setdefault(tick_of(line["job"]), []).append(moment_of(line))
    return said


def count_ticks(ticks: TickFindings) -> Account:
    """Those for which another one fired on return from an outage are kept: it stands for them."""
    return Account(ticks.due, ticks.due - len(ticks.missing), len(ticks.repeated))


async def is_drained(redis: Redis, ledger: Ledger) -> bool:
    try:
        if await OutboxRow.exists() or await Notification.filter(pushed_at=None).exists():
            return False
        jobs = await count_jobs(redis)
    except (Unavailable, RedisError):  # the last fault is not quite over
        return False
    accepted = {*ledger.notifications, *ledger.events}
    return not jobs.keys() & UNFINISHED and accepted <= set(ledger.told)


async def count_jobs(redis: Redis) -> Counter[str]:
    counts = Counter[str]()
    for status in STATUSES:
        for queue in QUEUES:
            counts[status] += await redis.zcard(Key.BY_STATUS % (queue, status))
    return +counts


def read_pushes(fleet: Fleet) -> dict[str, list[float]]:
    """When each notification was pushed: what the push provider wrote to the workers' logs."""
    pushed: dict[str, list[float]] = {}
    for line in read_logs(fleet.folder, "worker-*"):
        if line["event"] == "push":
            pushed.setdefault(line["notification"], []).append(moment_of(line))
    return pushed


def read_begun(fleet: Fleet) -> dict[str, dict[str, list[float]]]:
    begun: dict[str, dict[str, list[float]]] = {}
    for line in read_logs(fleet.folder, "worker-*"):
        if line["event"] == "job started":
            begun.setdefault(line["task"], {}).setdefault(line["job"], []).append(moment_of(line))
    return begun


def read_put_back(folder: Path) -> list[PutBack]:
    lines = [
        line
        for line in read_logs(folder, "worker-*")
        if line["event"] in ("job started", "job put back")
    ]
    attempts: dict[str, int] = {}
    waiting: dict[str, PutBack] = {}
    found: list[PutBack] = []
    for line in sorted(lines, key=moment_of):
        job = line["job"]
        if line["event"] == "job started":
            attempts[job] = line["attempt"]
            if each := waiting.pop(job, None):
                each.next = line["attempt"]
        elif line["why"] == "stopped":
            waiting[job] = PutBack(job, moment_of(line), attempts[job])
            found.append(waiting[job])
    return found


async def settle(
    client: httpx.AsyncClient, ledger: Ledger, pushed: Mapping[str, list[float]]
) -> dict[str, Account]:
    inbox = Counter(str(each) for each in await Notification.all().values_list("id", flat=True))
    told = {key: len(times) for key, times in ledger.told.items()}
    counts = {key: len(times) for key, times in pushed.items()}
    return {
        "notifications": compare(ledger.notifications, inbox, made=len(inbox)),
        "their events": compare(ledger.notifications, told),
        "their pushes": compare(ledger.notifications, counts),
        "published events": compare(ledger.events, told),
        "files": await count_files(client, ledger),
        "people": await count_people(client, ledger),
    }


def compare(accepted: Collection[str], found: Mapping[str, int], *, made: int = 0) -> Account:
    """`made` is how many there are in all, where none may be that was not accepted."""
    kept = [key for key in accepted if found.get(key)]
    repeated = sum(found[key] - 1 for key in kept)
    return Account(len(accepted), len(kept), repeated + max(0, made - len(accepted)))


async def count_files(client: httpx.AsyncClient, ledger: Ledger) -> Account:
    """Kept means byte by byte. Repeated are those of a try that had no answer."""
    kept = 0
    for file_id, stored in ledger.files.items():
        headers = {"Authorization": f"Bearer {stored.owner}"}
        answer = await client.get(f"/files/{file_id}/content", headers=headers)
        if answer.is_redirect:
            async with httpx.AsyncClient(trust_env=False) as outside:
                answer = await outside.get(answer.headers["Location"])
        kept += hashlib.sha256(answer.content).hexdigest() == stored.sha256
    ready = await File.filter(status=FileStatus.READY).count()
    return Account(len(ledger.files), kept, max(0, ready - len(ledger.files)))


async def count_people(client: httpx.AsyncClient, ledger: Ledger) -> Account:
    """Kept means the same id and name; repeated, that one person has two accounts."""
    kept = 0
    for person in ledger.people:
        headers = {"Authorization": f"Bearer {person.token}"}
        me = (await client.get("/auth/me", headers=headers)).json()["data"]
        kept += (me["id"], me["name"]) == (person.id, person.name)
    emails = Counter(await User.all().values_list("email", flat=True))
    return Account(len(ledger.people), kept, sum(count - 1 for count in emails.values()))
