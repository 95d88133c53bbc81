"""The whole system: its parts, started together, started again when they end, and stopped."""

import asyncio
import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.drill.databases import Database, make_database
from benchmarks.drill.parts import Part
from myapp.embedded.server import find_binary
from tests.support.buckets import BUCKET, scratch_place
from tests.support.ports import free_ports
from tests.support.program import run_program
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, Seaweed, answers

WORKERS = ("worker-1", "worker-2")
SCHEDULERS = ("scheduler-1", "scheduler-2")
OURS = ("api", *WORKERS, *SCHEDULERS)
RESTART_SECONDS = 0.5
STOP_SECONDS = 35.0
SERVER_SECONDS = 30.0  # for servers to come up at the beginning


class Fleet:
    """Every part, by name. `data` holds what may not be lost, `folder` the rest and the logs.

    `program` is the module that our own are run as.
    """

    def __init__(
        self,
        folder: Path,
        data: Path,
        *,
        database: str | None,
        storage: str,
        program: str = "myapp",
    ) -> None:
        self.folder = folder
        self.data = data
        [self.port] = free_ports(1)
        self.database: Database = make_database(database, data, folder)
        self.seaweed = Seaweed(make_folder(folder / "seaweed")) if storage == "s3" else None
        self.redis_url = f"unix://{data}/redis/s"
        self.restarts = Counter[str]()
        self._program = program
        self.parts = {part.name: part for part in self._make_parts()}

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """What our own processes are told."""
        off = {f"RATE_LIMIT_{name}": "off" for name in ("UPLOADS", "TICKETS", "FAILED_SIGN_IN")}
        env = {"PATH": os.environ["PATH"], "DATA_DIR": str(self.data), "LOG_FORMAT": "json", **off}
        env |= {"REDIS_URL": self.redis_url, "PUSH_PROVIDER": "log", "DRAIN_SECONDS": "0.2"}
        env["WORKER_CONCURRENCY"] = "20"  # one has slots for all long jobs while the other is away
        if self.database.url:
            env["DATABASE_URL"] = self.database.url
        if self.seaweed:
            env |= {"STORAGE_URL": f"s3://{BUCKET}/drill", "S3_ENDPOINT_URL": self.seaweed.url}
            env |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        return env

    def _make_parts(self) -> list[Part]:
        parts = [Part("redis", redis_command(make_folder(self.data / "redis")), self._log("redis"))]
        parts += [self.database.part] if self.database.part else []
        if self.seaweed:
            parts.append(Part("store", self.seaweed.store_command, self._log("store")))
            parts.append(Part("storage", self.seaweed.gateway_command, self._log("storage")))
        for name in OURS:
            role = name.partition("-")[0]
            command = [sys.executable, "-m", self._program, f"--role={role}", f"--port={self.port}"]
            parts.append(Part(name, command, self._log(name), env=self.env))
        return parts

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    async def start(self) -> None:
        """Servers, schema and our own; whoever keeps them up is `keep_up`."""
        await self.start_servers()
        self.start_ours()

    async def start_servers(self) -> None:
        """Those that others made, and the schema in the database."""
        for name, part in self.parts.items():
            if name not in OURS:
                part.start()
        async with asyncio.timeout(SERVER_SECONDS):
            if self.seaweed:
                await self._await_storage(self.seaweed)
            while not await self._migrate():  # noqa: ASYNC110  # another program looks
                await asyncio.sleep(RESTART_SECONDS)

    def start_ours(self) -> None:
        for name in OURS:
            self.parts[name].start()

    async def _await_storage(self, seaweed: Seaweed) -> None:
        """Makes the bucket. The gateway ends where the store is not there yet."""
        while not answers(seaweed.url):
            await asyncio.sleep(RESTART_SECONDS)
            if not self.parts["storage"].is_running:
                self.parts["storage"].start()
        async with scratch_place(seaweed):
            pass

    async def _migrate(self) -> bool:
        done = await asyncio.to_thread(run_program, "migrate", env=self.env, cwd=self.folder)
        return done.returncode == 0

    async def run(self, *arguments: str) -> list[str]:
        """The words that a command of ours prints."""
        done = await asyncio.to_thread(run_program, *arguments, env=self.env, cwd=self.folder)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout.split()

    @asynccontextmanager
    async def keep_up(self) -> AsyncIterator[None]:
        """As any platform does: what ends by itself is started again."""
        keeper = asyncio.create_task(self._keep_up())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            for part in self.parts.values():
                if part.is_wanted and not part.is_running:
                    self.restarts[part.name] += 1
                    part.start()

    def stop(self) -> list[str]:
        """Our own are asked to and have to end well, then the servers; what was wrong with it."""
        wrong = self.stop_well(OURS)
        for part in self.parts.values():
            part.kill()
        return wrong

    def stop_well(self, names: Sequence[str]) -> list[str]:
        """Asks these to stop, and waits until they have; what was wrong with it."""
        parts = [self.parts[name] for name in names]
        for part in parts:
            part.resume()
            part.ask_to_stop()
        statuses = {part.name: part.wait(STOP_SECONDS) for part in parts}
        return [
            f"{name} stopped with status {status}"
            for name, status in statuses.items()
            if status != 0
        ]


def redis_command(folder: Path) -> list[str]:
    """Redis itself where it is installed; every write that it acknowledged is on the disk."""
    binary = shutil.which("redis-server") or str(find_binary())
    place = ["--port", "0", "--unixsocket", f"{folder}/s", "--dir", str(folder)]
    return [binary, *place, "--appendonly", "yes", "--appendfsync", "always", "--save", ""]


def make_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
