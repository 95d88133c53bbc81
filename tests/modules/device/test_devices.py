"""/devices."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from httpx import AsyncClient

from myapp.database.device import Device
from myapp.modules.device.usecases import DeviceUsecase
from tests.conftest import Headers, SignIn

PHONE = {"token": "t" * 163, "platform": "android"}


@pytest.fixture
def ada(sign_in: SignIn) -> Headers:
    return sign_in("ada@example.com")


@pytest.fixture
def bob(sign_in: SignIn) -> Headers:
    return sign_in("bob@example.com")


class TestRegister:
    async def test_gives_the_device_without_its_token(
        self, client: AsyncClient, ada: Headers
    ) -> None:
        answer = await client.post("/devices", headers=ada, json=PHONE)
        assert answer.status_code == 201
        device = answer.json()["data"]
        assert device.keys() == {"id", "platform", "created_at", "last_seen_at"}
        assert device["platform"] == "android"

    async def test_again_is_the_same_device_seen_now(
        self, client: AsyncClient, ada: Headers
    ) -> None:
        first = await client.post("/devices", headers=ada, json=PHONE)
        await Device.all().update(last_seen_at=datetime.now(UTC) - timedelta(days=5))
        again = await client.post("/devices", headers=ada, json=PHONE)
        assert again.json()["data"]["id"] == first.json()["data"]["id"]
        seen = datetime.fromisoformat(again.json()["data"]["last_seen_at"])
        assert datetime.now(UTC) - seen < timedelta(minutes=1)

    async def test_moves_a_token_to_who_registered_it_last(
        self, client: AsyncClient, ada: Headers, bob: Headers
    ) -> None:
        first = await client.post("/devices", headers=ada, json=PHONE)
        moved = await client.post("/devices", headers=bob, json=PHONE)
        assert (await client.get("/devices", headers=ada)).json()["data"] == []
        assert (await client.get("/devices", headers=bob)).json()["data"] == [moved.json()["data"]]
        gone = await client.delete(f"/devices/{first.json()['data']['id']}", headers=ada)
        assert gone.status_code == 404

    async def test_at_once_by_many_leaves_one(
        self, client: AsyncClient, ada: Headers, bob: Headers
    ) -> None:
        for each in (ada, bob):
            await client.get("/auth/me", headers=each)
        answers = await asyncio.gather(
            *(client.post("/devices", headers=each, json=PHONE) for each in (ada, bob) * 3)
        )
        assert {answer.status_code for answer in answers} == {201}
        assert await Device.all().count() == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"token": ""},
            {"token": "t" * 4097},
            {"token": "a b"},
            {"token": "ü"},
            {"platform": "tv"},
        ],
    )
    async def test_refuses_what_is_no_device(
        self, client: AsyncClient, ada: Headers, change: dict[str, str]
    ) -> None:
        answer = await client.post("/devices", headers=ada, json=PHONE | change)
        assert answer.status_code == 400


class TestRemove:
    async def test_is_only_for_ones_own(
        self, client: AsyncClient, ada: Headers, bob: Headers
    ) -> None:
        device = (await client.post("/devices", headers=ada, json=PHONE)).json()["data"]
        path = f"/devices/{device['id']}"
        assert (await client.delete(path, headers=bob)).status_code == 404
        answer = await client.delete(path, headers=ada)
        assert (answer.status_code, answer.json()["data"]) == (200, None)
        assert (await client.get("/devices", headers=ada)).json()["meta"]["total"] == 0


class TestStale:
    async def test_devices_are_forgotten_after_270_days(
        self, client: AsyncClient, ada: Headers
    ) -> None:
        await client.post("/devices", headers=ada, json=PHONE)
        for days, removed in ((269, 0), (271, 1)):
            await Device.all().update(last_seen_at=datetime.now(UTC) - timedelta(days=days))
            assert await DeviceUsecase().remove_stale() == removed
