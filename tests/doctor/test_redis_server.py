"""Redis as doctor sees it."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from myapp import __version__
from myapp.doctor.findings import Finding, Status
from myapp.doctor.redis_server import (
    describe,
    judge_memory,
    judge_persistence,
    judge_role,
    look_at_redis,
)
from myapp.processes import IDS, RECORD, ProcessState
from tests.doctor.conftest import MakeSettings, by_name, paths_below
from tests.support.valkey import Valkey, running_valkey


@pytest.fixture
def durable() -> Iterator[Valkey]:
    with running_valkey(durable=True) as server:
        yield server


@pytest.fixture
async def redis(durable: Valkey) -> AsyncIterator[Redis]:
    async with Redis.from_url(durable.url) as client:
        yield client


async def look(make_settings: MakeSettings, url: str) -> dict[str, Finding]:
    settings = make_settings(redis_url=SecretStr(url))
    return by_name(list(await look_at_redis(settings)))


class TestLook:
    async def test_at_a_good_one_finds_nothing_wrong(
        self, make_settings: MakeSettings, durable: Valkey
    ) -> None:
        found = await look(make_settings, durable.url)
        assert {each.status for each in found.values()} == {Status.OK}
        assert set(found) == {
            *("redis", "redis.scripts", "redis.persistence", "redis.eviction", "redis.memory"),
            *("clock.redis", "processes", "forwarding"),
        }

    async def test_at_one_that_forgets_and_evicts_fails(
        self, make_settings: MakeSettings, durable: Valkey, redis: Redis
    ) -> None:
        await redis.config_set("appendonly", "no")
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        found = await look(make_settings, durable.url)
        failed = {name for name, each in found.items() if each.status is Status.FAILED}
        assert failed == {"redis.persistence", "redis.eviction"}
        await redis.config_set("save", "3600 1")
        found = await look(make_settings, durable.url)
        assert found["redis.persistence"].status is Status.WARNING

    async def test_at_one_that_forbids_scripts_and_settings_tells_what_it_can(
        self, make_settings: MakeSettings, durable: Valkey, redis: Redis
    ) -> None:
        rules = ["+@all", "-@scripting", "-config", "~*", "&*"]
        await redis.execute_command("ACL", "SETUSER", "poor", "on", ">secret", *rules)  # type: ignore[no-untyped-call]  # so in redis-py
        url = durable.url.replace("unix://", "unix://poor:secret@")
        found = await look(make_settings, url)
        assert found["redis.scripts"].status is Status.FAILED
        assert found["redis.persistence"].status is Status.OK
        assert not [each for each in found.values() if "secret" in each.message]

    async def test_at_one_that_is_away_raises(self, make_settings: MakeSettings) -> None:
        with pytest.raises(RedisError):
            await look(make_settings, "redis://127.0.0.1:9")

    async def test_sees_who_runs_another_release(
        self, make_settings: MakeSettings, durable: Valkey, redis: Redis
    ) -> None:
        for name, version in (("a", __version__), ("b", "0.0.1")):
            record = process(name, version).model_dump_json()
            await redis.set(RECORD % name, record)
            await redis.sadd(IDS, name)  # type: ignore[misc]  # sync or async, says redis-py
        found = (await look(make_settings, durable.url))["processes"]
        assert found.status is Status.WARNING
        assert "0.0.1" in found.message

    async def test_starts_no_embedded_server_in_a_folder_without_one(
        self, make_settings: MakeSettings, tmp_path: Path
    ) -> None:
        (found,) = await look_at_redis(make_settings())
        assert found.status is Status.OK
        assert paths_below(tmp_path) == []


def process(name: str, version: str) -> ProcessState:
    now = datetime.now(UTC)
    return ProcessState(
        id=name,
        role="worker",
        roles=["worker"],
        host="here",
        pid=1,
        version=version,
        started_at=now,
        measured_at=now,
        memory_mb=50.0,
        cpu_seconds=1.0,
        requests=None,
        requests_within=None,
        errors=None,
        streams=None,
        jobs_done=None,
        jobs_failed=None,
    )


class TestJudgement:
    def test_old_servers_fail(self, make_settings: MakeSettings) -> None:
        settings = make_settings(redis_url=SecretStr("redis://:secret@cache:6379/0"))
        old = describe(settings, {"redis_version": "6.2.14"})
        new = describe(settings, {"redis_version": "7.0.0"})
        assert (old.status, new.status) == (Status.FAILED, Status.OK)
        assert new.message == "Redis 7.0.0 answers, at redis://cache:6379/0"

    def test_a_replica_fails(self) -> None:
        assert judge_role({"role": "master"}) == []
        assert judge_role({"role": "slave"})[0].status is Status.FAILED

    @pytest.mark.parametrize(
        ("server", "save", "status"),
        [
            ({"aof_enabled": 1}, None, Status.OK),
            ({"aof_enabled": 1, "aof_last_write_status": "err"}, "", Status.FAILED),
            ({"aof_enabled": 0}, "3600 1", Status.WARNING),
            ({"aof_enabled": 0, "rdb_last_bgsave_status": "err"}, "3600 1", Status.FAILED),
            ({"aof_enabled": 0}, None, Status.WARNING),
            ({"aof_enabled": 0}, "", Status.FAILED),
        ],
    )
    def test_persistence_is_what_survives_a_crash(
        self, server: dict[str, object], save: str | None, status: Status
    ) -> None:
        assert judge_persistence(server, save).status is status

    def test_a_server_that_is_nearly_full_is_a_warning(self) -> None:
        assert judge_memory({"used_memory": 900, "maxmemory": 0}).status is Status.OK
        assert judge_memory({"used_memory": 700, "maxmemory": 1000}).status is Status.OK
        assert judge_memory({"used_memory": 900, "maxmemory": 1000}).status is Status.WARNING
