"""/admin/audit-log, and what a record is."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from myapp.audit import SYSTEM, Actor, difference, record_change
from myapp.database.audit import ActorType, AuditRecord
from myapp.database.connection import transaction
from myapp.errors import NotFound
from myapp.modules.audit import AuditModule
from myapp.registry import Features
from tests.support.people import Person

FIELDS = (
    *("id", "actor_type", "actor_id", "action", "target_type", "target_id"),
    *("before", "after", "request_id", "address", "created_at"),
)


async def add(action: str, *, target: object = "t", actor: Actor = SYSTEM) -> None:
    await record_change(actor, action, target_type="thing", target_id=target, after={"n": 1})


class TestList:
    async def test_shows_the_newest_first_with_every_field(
        self, client: AsyncClient, root: Person
    ) -> None:
        await add("thing.made")
        await add("thing.broken", actor=Actor(ActorType.CLI, "ann"))
        answer = await client.get("/admin/audit-log", headers=root.headers)
        assert [record["action"] for record in answer.json()["data"]] == [
            "thing.broken",
            "thing.made",
        ]
        newest = answer.json()["data"][0]
        assert tuple(newest) == FIELDS
        assert (newest["actor_type"], newest["actor_id"]) == ("cli", "ann")
        assert (newest["before"], newest["after"]) == (None, {"n": 1})
        assert newest["created_at"].endswith("Z")

    async def test_filters_exactly(self, client: AsyncClient, root: Person) -> None:
        await add("thing.made", target="one", actor=Actor(ActorType.CLI, "ann"))
        await add("thing.made", target="two", actor=Actor(ActorType.CLI, "Ann"))
        await add("thing.broken", target="one")

        async def count(**query: Any) -> int:
            answer = await client.get("/admin/audit-log", headers=root.headers, params=query)
            assert answer.status_code == 200
            total: int = answer.json()["meta"]["total"]
            return total

        assert await count(action="thing.made") == 2
        assert await count(target_id="one") == 2
        assert await count(actor_id="ann") == 1
        assert await count(action="thing.made", target_id="one") == 1
        assert await count(action="thing") == 0
        assert await count(actor_id="%") == 0
        assert await count(action="", target_id="") == 3

    @pytest.mark.parametrize("query", ["actor=x", "action=a%00b", "target_id=" + "x" * 201])
    async def test_refuses_what_makes_no_sense(
        self, client: AsyncClient, root: Person, query: str
    ) -> None:
        answer = await client.get(f"/admin/audit-log?{query}", headers=root.headers)
        assert answer.status_code == 400


class TestGet:
    async def test_finds_one_record_by_its_id(self, features: Features) -> None:
        await add("thing.made")
        await add("thing.broken")
        made = await AuditRecord.get(action="thing.made")
        found = await features.get(AuditModule).log.get(made.id)
        assert found.action == "thing.made"

    async def test_of_an_unknown_one_is_not_found(self, features: Features) -> None:
        with pytest.raises(NotFound):
            await features.get(AuditModule).log.get(uuid4())


class TestRecord:
    async def test_is_written_with_its_change_or_not_at_all(self, features: Features) -> None:
        with pytest.raises(KeyError):
            async with transaction():
                await add("thing.made")
                raise KeyError
        assert await AuditRecord.all().count() == 0

    async def test_is_never_changed_nor_deleted(self, features: Features) -> None:
        await add("thing.made")
        record = await AuditRecord.get()
        record.action = "thing.forged"
        for attempt in (record.save, record.delete):
            with pytest.raises(TypeError):
                await attempt()
        assert (await AuditRecord.get()).action == "thing.made"

    async def test_takes_what_a_proxy_says_of_the_address_however_long(
        self, features: Features
    ) -> None:
        await add("thing.made", actor=Actor(ActorType.USER, "u", "x" * 1000, "r" * 128))
        assert (await AuditRecord.get()).address == "x" * 64

    def test_names_the_user_of_the_process_whatever_the_environment_says(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
            monkeypatch.setenv(variable, "somebody-else")
        actor = Actor.at_terminal(ActorType.TUI)
        asked = subprocess.run(["id", "-un"], capture_output=True, check=False, text=True)
        assert actor == Actor(ActorType.TUI, asked.stdout.strip() or str(os.getuid()))

    def test_holds_only_what_differs(self) -> None:
        before, after = {"a": 1, "b": 2, "c": None}, {"a": 1, "b": 3, "c": None}
        assert difference(before, after) == ({"b": 2}, {"b": 3})
        assert difference(None, after) == (None, after)


async def test_records_over_a_year_old_are_purged(features: Features) -> None:
    await add("thing.made")
    await add("thing.broken")
    old = datetime.now(UTC) - timedelta(days=366)
    await AuditRecord.filter(action="thing.made").update(created_at=old)
    assert await features.get(AuditModule).cleanups["audit"]() == 1
    assert [record.action for record in await AuditRecord.all()] == ["thing.broken"]
