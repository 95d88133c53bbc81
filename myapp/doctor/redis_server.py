"""Redis: reachable, keeping what it was given, and able to run the program's scripts."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from myapp.config import Settings
from myapp.doctor import clocks
from myapp.doctor.findings import Finding, failed, ok, warning
from myapp.doctor.forwarding import look_at_forwarding
from myapp.doctor.processes import look_at_processes
from myapp.doctor.secrecy import show_url
from myapp.embedded import embedded_server
from myapp.embedded.server import HOME, find_binary

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0
LEAST_VERSION = (7, 0)  # what the scripts are written for
FULL = 0.8  # of the memory that it may take
PROBE = "myapp:doctor:probe"
# Like the program's own scripts it names its key as it goes: clusters and some look-alikes forbid
# that. It is gone after a second.
SCRIPT = f"""redis.call('SET', '{PROBE}', ARGV[1], 'PX', 1000)
return redis.call('GET', '{PROBE}')"""


async def look_at_redis(settings: Settings) -> Sequence[Finding]:
    """Everything about Redis, and what running processes have told there.

    The embedded server is joined, or started, as every command on its folder does; not so in a
    folder that it has never run in.
    """
    if settings.redis_url is None and not (settings.data_dir / HOME).is_dir():
        find_binary()
        return [ok("redis", "The embedded server has not run in this folder yet: a start makes it")]
    async with connected(settings) as redis:
        server = await redis.info()
        return [
            describe(settings, server),
            *judge_role(server),
            await try_script(redis),
            judge_persistence(server, await read_config(redis, "save")),
            judge_eviction(server),
            judge_memory(server),
            await clocks.compare("clock.redis", whose="Redis", read=lambda: read_clock(redis)),
            await look_at_processes(redis),
            await look_at_forwarding(redis, settings),
        ]


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Redis]:
    if settings.redis_url is None:
        async with embedded_server(settings.data_dir) as url, client_of(url) as redis:
            yield redis
        return
    async with client_of(settings.redis_url.get_secret_value()) as redis:
        yield redis


def client_of(url: str) -> Redis:
    client: Redis = Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return client


async def read_clock(redis: Redis) -> float:
    seconds, microseconds = await redis.time()
    return float(seconds) + float(microseconds) / 1e6


async def read_config(redis: Redis, name: str) -> str | None:
    """A setting; None where the server does not show it, as hosted ones do."""
    try:
        found = await redis.config_get(name)
    except ResponseError:
        return None
    value = found.get(name)
    return None if value is None else str(value)


def describe(settings: Settings, server: Mapping[str, Any]) -> Finding:
    kind = "Valkey" if "valkey_version" in server else "Redis"
    version = server.get("valkey_version") or server["redis_version"]
    url = settings.redis_url
    place = f"at {show_url(url.get_secret_value())}" if url else "embedded in DATA_DIR"
    message = f"{kind} {version} answers, {place}"
    compatible = tuple(int(part) for part in str(server["redis_version"]).split(".")[:2])
    if compatible < LEAST_VERSION:
        return failed("redis", message, "Run Redis 7 or later, or Valkey")
    return ok("redis", message)


def judge_role(server: Mapping[str, Any]) -> list[Finding]:
    if server.get("role", "master") == "master":
        return []
    message = "The server is a replica, which takes no writes"
    return [failed("redis.writable", message, "Point REDIS_URL at the primary")]


async def try_script(redis: Redis) -> Finding:
    mark = str(time.time_ns())
    try:
        answer = await redis.eval(SCRIPT, 0, mark)  # type: ignore[misc]  # sync or async, says redis-py
    except ResponseError as error:
        message = f"A script that writes was refused: {error}"
        advice = "Use one server, no cluster, that lets this user run scripts and write"
        return failed("redis.scripts", message, advice)
    if answer != mark:
        message = "A script did not read what it wrote"
        return failed("redis.scripts", message, "Use Redis or Valkey itself")
    return ok("redis.scripts", "Scripts run, write and read")


def judge_persistence(server: Mapping[str, Any], save: str | None) -> Finding:
    """At least once holds as long as Redis keeps what it acknowledged."""
    name, advice = "redis.persistence", "Turn on the append-only file: appendonly yes"
    broken = [
        key for key in ("aof_last_write_status", "aof_last_bgrewrite_status") if bad(server, key)
    ]
    if server.get("aof_enabled") and broken:
        message = f"The append-only file cannot be written ({', '.join(broken)})"
        return failed(name, message, "Look into the server's log; its disk may be full")
    if server.get("aof_enabled"):
        return ok(name, "The append-only file is on: a crash loses a second at most")
    if bad(server, "rdb_last_bgsave_status"):
        message = "The last snapshot could not be written"
        return failed(name, message, "Look into the server's log; its disk may be full")
    if save:
        message = (
            "Snapshots alone: a crash loses the jobs and events since the last one, and only"
            " unfinished notifications are found again"
        )
        return warning(name, message, advice)
    if save is None:
        message = "There is no append-only file, and whether snapshots are taken is not shown"
        return warning(name, message, advice)
    message = "Nothing is kept on disk: a restart of the server loses every job and event"
    return failed(name, message, advice)


def bad(server: Mapping[str, Any], key: str) -> bool:
    return bool(server.get(key, "ok") != "ok")


def judge_eviction(server: Mapping[str, Any]) -> Finding:
    policy = server.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return ok("redis.eviction", "What it holds is never evicted (noeviction)")
    message = f"The eviction policy is {policy}: a full server throws away jobs and events"
    return failed("redis.eviction", message, "Set maxmemory-policy to noeviction")


def judge_memory(server: Mapping[str, Any]) -> Finding:
    used, limit = int(server["used_memory"]), int(server.get("maxmemory", 0))
    if not limit:
        return ok("redis.memory", f"{megabytes(used)} in use, without a limit")
    message = f"{megabytes(used)} in use of {megabytes(limit)}"
    if used > limit * FULL:
        advice = "Raise maxmemory: a full server refuses writes, and so new jobs and events"
        return warning("redis.memory", message, advice)
    return ok("redis.memory", message)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
