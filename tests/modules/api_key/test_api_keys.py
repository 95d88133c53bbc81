"""/admin/api-keys."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response
from structlog.testing import capture_logs

from myapp.audit import SYSTEM
from myapp.database.api_key import ApiKey, Scope
from myapp.database.audit import AuditRecord
from myapp.errors import NotFound
from myapp.modules.api_key import ApiKeyModule
from myapp.modules.api_key.dtos import NewApiKey
from myapp.registry import Features
from tests.support.people import Person

NEW = {"name": "billing", "scopes": ["metrics:read", "accounts:read"]}


async def create(client: AsyncClient, root: Person, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/admin/api-keys", headers=root.headers, json={**NEW, **fields})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()["data"]
    return created


async def use(client: AsyncClient, key: str) -> int:
    # A header that only proxies send: this is not the machine itself that asks.
    headers = {"X-API-Key": key, "Via": "1.1 proxy"}
    return (await client.get("/metrics", headers=headers)).status_code


class TestCreate:
    async def test_gives_a_key_that_works(self, client: AsyncClient, root: Person) -> None:
        created = await create(client, root)
        assert created["key"].startswith(created["prefix"] + "_")
        assert set(created["scopes"]) == set(NEW["scopes"])
        assert (created["expires_at"], created["revoked_at"]) == (None, None)
        assert await use(client, created["key"]) == 200

    async def test_shows_it_once_and_neither_stores_nor_logs_it(
        self, client: AsyncClient, root: Person
    ) -> None:
        with capture_logs() as logs:
            key = (await create(client, root))["key"]
            await use(client, key)
        secret = key.rsplit("_")[-1]
        listed = await client.get("/admin/api-keys", headers=root.headers)
        stored = await ApiKey.all().values()
        audited = await AuditRecord.all().values()
        for place in (logs, listed.text, stored, audited):
            assert secret not in str(place)
            assert key not in str(place)

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": ""},
            {"name": "  "},
            {"name": "a\nb"},
            {"name": "x" * 256},
            {"name": None},
            {"scopes": []},
            {"scopes": ["*"]},
            {"scopes": ["metrics:read", "admin"]},
            {"scopes": "metrics:read"},
            {"expires_at": "2020-01-01T00:00:00Z"},
            {"expires_at": "2100-01-01T00:00:00"},
            {"expires_at": "9999-12-31T23:59:59-01:00"},
            {"expires_at": "0001-01-01T00:00:00+01:00"},
            {"expires_at": "never"},
            {"expires_at": 1e12},
            {"key": "myapp_mine"},
            {"id": str(uuid4())},
            {"revoked_at": None},
        ],
    )
    async def test_refuses_what_makes_no_sense(
        self, client: AsyncClient, root: Person, fields: dict[str, Any]
    ) -> None:
        answer = await client.post("/admin/api-keys", headers=root.headers, json={**NEW, **fields})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert await ApiKey.all().count() == 0

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("2100-01-01T00:00:00+02:00", "2099-12-31T22:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ],
    )
    async def test_tells_its_expiry_in_utc(
        self, client: AsyncClient, root: Person, given: str, told: str
    ) -> None:
        created = await create(client, root, expires_at=given)
        assert created["expires_at"] == told
        assert await use(client, created["key"]) == 200
        (listed,) = (await client.get("/admin/api-keys", headers=root.headers)).json()["data"]
        assert listed["expires_at"] == told

    async def test_leaves_a_record(self, client: AsyncClient, root: Person) -> None:
        created = await create(client, root)
        record = await AuditRecord.get()
        assert (record.action, record.target_id) == ("api_key.created", created["id"])
        assert record.after["scopes"] == sorted(NEW["scopes"])
        assert record.before is None


class TestList:
    async def test_shows_the_newest_first(self, client: AsyncClient, root: Person) -> None:
        names = [(await create(client, root, name=f"service {n}"))["name"] for n in range(3)]
        answer = await client.get("/admin/api-keys?per_page=2", headers=root.headers)
        assert [key["name"] for key in answer.json()["data"]] == names[:0:-1]
        assert answer.json()["meta"]["total"] == 3
        assert "key" not in answer.json()["data"][0]

    async def test_takes_a_part_of_the_name_or_the_id_or_the_beginning_of_a_key(
        self, client: AsyncClient, root: Person
    ) -> None:
        billing, mailer, _ = [
            await create(client, root, name=name) for name in ("Billing 100%", "mailer", "Mail 2")
        ]
        for q, found in (
            ("bill", ["Billing 100%"]),
            ("MAIL", ["Mail 2", "mailer"]),
            ("0%", ["Billing 100%"]),
            ("_", []),
            (mailer["prefix"], ["mailer"]),
            (billing["id"].upper(), ["Billing 100%"]),
            (mailer["prefix"][:14], ["mailer"]),
            (f"{billing['prefix']}x", []),
            ("myapp_", ["Mail 2", "mailer", "Billing 100%"]),
            (str(uuid4()), []),
            ("", ["Mail 2", "mailer", "Billing 100%"]),
        ):
            answer = await client.get("/admin/api-keys", headers=root.headers, params={"q": q})
            assert [key["name"] for key in answer.json()["data"]] == found, q

    @pytest.mark.parametrize("q", ["x" * 256, "a\0b"])
    async def test_refuses_what_no_name_can_be(
        self, client: AsyncClient, root: Person, q: str
    ) -> None:
        answer = await client.get("/admin/api-keys", headers=root.headers, params={"q": q})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


class TestGet:
    async def test_finds_one_by_its_id(self, features: Features) -> None:
        keys = features.get(ApiKeyModule).administration
        row, _ = await keys.create(NewApiKey(name="billing", scopes=[Scope.METRICS_READ]), SYSTEM)
        assert (await keys.get(row.id)).name == "billing"
        with pytest.raises(NotFound):
            await keys.get(uuid4())


class TestRevoke:
    async def test_ends_the_key_with_the_next_request(
        self, client: AsyncClient, root: Person
    ) -> None:
        created = await create(client, root)
        assert await use(client, created["key"]) == 200
        answer = await client.delete(f"/admin/api-keys/{created['id']}", headers=root.headers)
        assert (answer.status_code, answer.json()["data"]) == (200, None)
        assert await use(client, created["key"]) == 401

    async def test_twice_is_as_good_as_once(self, client: AsyncClient, root: Person) -> None:
        path = f"/admin/api-keys/{(await create(client, root))['id']}"
        for _ in range(2):
            assert (await client.delete(path, headers=root.headers)).status_code == 200
        assert await AuditRecord.filter(action="api_key.revoked").count() == 1

    async def test_knows_no_key_by_another_id(self, client: AsyncClient, root: Person) -> None:
        answer = await client.delete(f"/admin/api-keys/{uuid4()}", headers=root.headers)
        assert answer.status_code == 404


class TestRotate:
    async def rotate(
        self, client: AsyncClient, root: Person, key_id: str, body: Any = None
    ) -> Response:
        path = f"/admin/api-keys/{key_id}/rotate"
        return await client.post(path, headers=root.headers, json=body)

    async def test_gives_a_new_key_and_lets_the_old_one_work_on(
        self, client: AsyncClient, root: Person
    ) -> None:
        old = await create(client, root)
        answer = await self.rotate(client, root, old["id"])
        assert answer.status_code == 200
        new = answer.json()["data"]
        assert (new["id"], new["prefix"]) == (old["id"], old["prefix"])
        assert new["key"] != old["key"]
        assert [await use(client, key) for key in (old["key"], new["key"])] == [200, 200]

    async def test_without_overlap_ends_every_old_key_at_once(
        self, client: AsyncClient, root: Person
    ) -> None:
        first = await create(client, root)
        second = (await self.rotate(client, root, first["id"])).json()["data"]
        third = (await self.rotate(client, root, first["id"], {"overlap_seconds": 0})).json()[
            "data"
        ]
        statuses = [await use(client, made["key"]) for made in (first, second, third)]
        assert statuses == [401, 401, 200]

    async def test_repeated_after_a_lost_answer_does_not_end_the_key_in_use(
        self, client: AsyncClient, root: Person
    ) -> None:
        in_use = await create(client, root)
        for _ in range(2):
            await self.rotate(client, root, in_use["id"])
        assert await use(client, in_use["key"]) == 200

    async def test_ends_the_old_key_when_the_overlap_is_over(
        self, client: AsyncClient, root: Person, features: Features
    ) -> None:
        old = await create(client, root)
        await self.rotate(client, root, old["id"], {"overlap_seconds": 60})
        row = await ApiKey.get()
        row.former_secrets = [[secret, end - 61] for secret, end in row.former_secrets]
        await row.save()
        features.get(ApiKeyModule).keys.forget(row.public_id)
        assert await use(client, old["key"]) == 401

    async def test_is_refused_for_a_dead_key(self, client: AsyncClient, root: Person) -> None:
        created = await create(client, root)
        await client.delete(f"/admin/api-keys/{created['id']}", headers=root.headers)
        assert (await self.rotate(client, root, created["id"])).status_code == 409

    @pytest.mark.parametrize(
        "body",
        [
            {"overlap_seconds": -1},
            {"overlap_seconds": 86_401},
            {"overlap_seconds": "60"},
            {"overlap_seconds": None},
            {"overlap_seconds": True},
            {"overlap": 60},
            [],
        ],
    )
    async def test_refuses_an_odd_overlap(
        self, client: AsyncClient, root: Person, body: Any
    ) -> None:
        created = await create(client, root)
        assert (await self.rotate(client, root, created["id"], body)).status_code == 400


class TestPurge:
    async def test_removes_keys_that_ended_over_a_month_ago(
        self, client: AsyncClient, root: Person, features: Features
    ) -> None:
        long_ago = datetime.now(UTC) - timedelta(days=31)
        ids = [(await create(client, root))["id"] for _ in range(4)]
        await ApiKey.filter(id=ids[0]).update(revoked_at=long_ago)
        await ApiKey.filter(id=ids[1]).update(expires_at=long_ago)
        await ApiKey.filter(id=ids[2]).update(revoked_at=datetime.now(UTC))
        assert await features.get(ApiKeyModule).cleanups["api_keys"]() == 2
        left = {str(key_id) for key_id in await ApiKey.all().values_list("id", flat=True)}
        assert left == set(ids[2:])
