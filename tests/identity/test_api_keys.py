"""The ring of API keys: what a process remembers, and how it hears of changes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from myapp.database.api_key import ApiKey
from myapp.errors import RateLimited, Unauthenticated, Unavailable
from myapp.identity.api_keys import KeyRing
from myapp.identity.key_format import make_key, parse_key
from myapp.resources import Resources

PUBLIC_ID = "aB3dE6gH9jK2"


class Store:
    """Loads keys as the program does, counts that, and can be away."""

    def __init__(self) -> None:
        self.loads = 0
        self.away = False

    async def load(self, public_id: str) -> ApiKey | None:
        self.loads += 1
        if self.away:
            raise Unavailable
        return await ApiKey.by_public_id(public_id)


class Asked:
    """Counts how often it is asked, and raises what it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self._error = error

    async def __call__(self) -> None:
        self.times += 1
        if self._error:
            raise self._error


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def ring(resources: Resources, store: Store) -> AsyncIterator[KeyRing]:
    async with KeyRing(resources.bus, load=store.load) as ring:
        yield ring


async def create(**fields: Any) -> str:
    text = make_key(PUBLIC_ID)
    await ApiKey.create(
        public_id=PUBLIC_ID,
        name="service",
        scopes=["metrics:read"],
        secret_hash=parse_key(text).secret_hash,
        former_secrets=[],
        **fields,
    )
    return text


class TestAuthenticate:
    async def test_lets_a_key_in_with_its_scopes(self, ring: KeyRing) -> None:
        principal = await ring.authenticate(await create())
        assert principal.name == "service"
        assert principal.scopes == frozenset({"metrics:read"})

    async def test_asks_the_database_once(self, ring: KeyRing, store: Store) -> None:
        text = await create()
        await asyncio.gather(*(ring.authenticate(text) for _ in range(20)))
        await ring.authenticate(text)
        assert store.loads == 1

    async def test_refuses_a_mistyped_key_without_a_look_up(
        self, ring: KeyRing, store: Store
    ) -> None:
        text = await create()
        with pytest.raises(Unauthenticated):
            await ring.authenticate(text[:-1] + ("0" if text[-1] != "0" else "1"))
        assert store.loads == 0

    async def test_refuses_an_unknown_key_and_asks_once(self, ring: KeyRing, store: Store) -> None:
        text = make_key("000000000000")
        for _ in range(3):
            with pytest.raises(Unauthenticated):
                await ring.authenticate(text)
        assert store.loads == 1

    async def test_refuses_another_secret_of_the_same_public_id(self, ring: KeyRing) -> None:
        await create()
        with pytest.raises(Unauthenticated):
            await ring.authenticate(make_key(PUBLIC_ID))

    async def test_refuses_a_revoked_key(self, ring: KeyRing) -> None:
        text = await create(revoked_at=datetime.now(UTC))
        with pytest.raises(Unauthenticated):
            await ring.authenticate(text)

    async def test_refuses_a_key_from_the_moment_it_expires(self, ring: KeyRing) -> None:
        text = await create(expires_at=datetime.now(UTC) + timedelta(seconds=2))
        await ring.authenticate(text)
        await asyncio.sleep(2)
        with pytest.raises(Unauthenticated):
            await ring.authenticate(text)

    async def test_takes_an_outage_for_an_outage(self, ring: KeyRing, store: Store) -> None:
        text = await create()
        store.away = True
        with pytest.raises(Unavailable):
            await ring.authenticate(text)
        store.away = False
        await ring.authenticate(text)


class TestBeforeLearning:
    """What a caller may ask, and refuse, before a key is looked into."""

    @pytest.fixture
    def now(self) -> list[float]:
        return [100.0]

    @pytest.fixture
    def ring(self, resources: Resources, store: Store, now: list[float]) -> KeyRing:
        return KeyRing(resources.bus, load=store.load, clock=lambda: now[0])

    async def test_is_for_keys_that_were_not_let_in_yet(
        self, ring: KeyRing, now: list[float]
    ) -> None:
        text, asked = await create(), Asked()
        await ring.authenticate(text, before_learning=asked)
        assert asked.times == 1
        await ring.authenticate(text, before_learning=asked)
        now[0] += 60  # it is read anew, and as well known as before
        await ring.authenticate(text, before_learning=asked)
        assert asked.times == 1

    @pytest.mark.parametrize(
        "text",
        ["malformed", make_key("000000000000"), make_key(PUBLIC_ID)],
        ids=["malformed", "unknown", "another secret"],  # keys are made anew by every worker
    )
    async def test_is_for_a_key_that_is_none_however_often_it_comes(
        self, ring: KeyRing, text: str
    ) -> None:
        await ring.authenticate(await create())
        asked = Asked()
        for times in (1, 2):
            with pytest.raises(Unauthenticated):
                await ring.authenticate(text, before_learning=asked)
            assert asked.times == times

    async def test_refuses_without_a_look_up(self, ring: KeyRing, store: Store) -> None:
        asked = Asked(RateLimited())
        for text in ("malformed", make_key("000000000000"), await create()):
            with pytest.raises(RateLimited):
                await ring.authenticate(text, before_learning=asked)
        assert store.loads == 0

    async def test_is_for_a_key_that_was_good_once(self, ring: KeyRing, now: list[float]) -> None:
        text, asked = await create(), Asked()
        await ring.authenticate(text)
        await ApiKey.filter(public_id=PUBLIC_ID).update(revoked_at=datetime.now(UTC))
        now[0] += 60
        for times in (0, 1):  # until its end is noticed, it is known
            with pytest.raises(Unauthenticated):
                await ring.authenticate(text, before_learning=asked)
            assert asked.times == times


class TestOnFailure:
    async def test_is_told_of_what_its_caller_did_not_wait_for(self, resources: Resources) -> None:
        begun, let_go, failures = asyncio.Event(), asyncio.Event(), list[str]()

        async def load(_public_id: str) -> None:
            begun.set()
            await let_go.wait()

        async with KeyRing(resources.bus, load=load) as ring:
            calling = asyncio.create_task(
                ring.authenticate(make_key(PUBLIC_ID), on_failure=lambda: failures.append("one"))
            )
            await begun.wait()
            calling.cancel()
            await asyncio.wait({calling})
            assert failures == []
            let_go.set()
            async with asyncio.timeout(15):
                while not failures:  # noqa: ASYNC110  # nobody waits for it any more
                    await asyncio.sleep(0.01)
        assert calling.cancelled()
        assert failures == ["one"]

    async def test_what_is_looked_into_ends_with_the_ring(self, resources: Resources) -> None:
        async def load(_public_id: str) -> None:
            await asyncio.Event().wait()

        before = asyncio.all_tasks()
        async with KeyRing(resources.bus, load=load) as ring:
            calling = asyncio.create_task(ring.authenticate(make_key(PUBLIC_ID)))
            await asyncio.sleep(0)
        await asyncio.wait({calling}, timeout=5)
        assert calling.cancelled()
        assert [task for task in asyncio.all_tasks() - before if "_learn" in repr(task)] == []


class TestAnnounce:
    async def test_has_every_process_forget_the_key(
        self, ring: KeyRing, resources: Resources
    ) -> None:
        heard = asyncio.Event()
        ring.on_change(lambda _public_id: heard.set())
        text = await create()
        await ring.authenticate(text)
        await ApiKey.filter(public_id=PUBLIC_ID).update(revoked_at=datetime.now(UTC))
        async with KeyRing(resources.bus, load=ApiKey.by_public_id) as other:
            await other.announce(PUBLIC_ID)
        async with asyncio.timeout(15):
            await heard.wait()
        with pytest.raises(Unauthenticated):
            await ring.authenticate(text)


class TestMemory:
    async def test_lasts_five_seconds_without_an_announcement(self, resources: Resources) -> None:
        now = 100.0
        ring = KeyRing(resources.bus, load=ApiKey.by_public_id, clock=lambda: now)
        text = await create()
        await ring.authenticate(text)
        await ApiKey.filter(public_id=PUBLIC_ID).update(revoked_at=datetime.now(UTC))
        await ring.authenticate(text)
        now += 5.1
        with pytest.raises(Unauthenticated):
            await ring.authenticate(text)


class TestUses:
    async def test_many_uses_are_one_write_when_the_ring_closes(self, resources: Resources) -> None:
        text = await create()
        async with KeyRing(resources.bus, load=ApiKey.by_public_id) as ring:
            for _ in range(50):
                await ring.authenticate(text)
            assert (await ApiKey.get()).last_used_at is None
        assert (await ApiKey.get()).last_used_at is not None

    async def test_a_use_is_recorded_soon(self, ring: KeyRing) -> None:
        await ring.authenticate(await create())
        async with asyncio.timeout(15):
            while (await ApiKey.get()).last_used_at is None:  # noqa: ASYNC110  # the database has it
                await asyncio.sleep(0.05)

    async def test_a_time_within_the_minute_stays_as_it_is(self, resources: Resources) -> None:
        now = datetime.now(UTC)
        for known, kept in (
            (now - timedelta(seconds=30), True),
            (now - timedelta(seconds=61), False),
        ):
            await ApiKey.all().delete()
            await create(last_used_at=known)
            await ApiKey.record_use([(await ApiKey.get()).id], at=now)
            found = (await ApiKey.get()).last_used_at
            assert found == (known if kept else ANY)
            assert (found == known) is kept
