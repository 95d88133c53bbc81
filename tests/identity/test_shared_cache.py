"""Whoever can write to Redis signs nobody in, and whoever stops it stops nobody."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from myapp.bus import MessageBus
from myapp.identity.base import SignIn
from myapp.identity.shared_cache import SharedCache, key_of
from myapp.identity.verification import Verification

NOW = 1_800_000_000.0
ADA, BOB = b"a" * 32, b"b" * 32  # digests
SECRET = b"s" * 32
VERIFICATION = Verification(uuid4(), SignIn("ada", NOW - 1), NOW, NOW + 3600)


@pytest.fixture
async def redis(valkey_socket: str) -> AsyncIterator[Redis]:
    async with Redis(unix_socket_path=valkey_socket) as redis:
        yield redis


@pytest.fixture
async def bus(redis: Redis) -> AsyncIterator[MessageBus]:
    async with MessageBus(redis) as bus:
        yield bus


def make(redis: Redis, bus: MessageBus, *, secret: bytes = SECRET, now: float = NOW) -> SharedCache:
    """One that a busy machine does not keep from Redis."""
    return SharedCache(redis, bus, secret=secret, clock=lambda: now, redis_seconds=5)


@pytest.fixture
def cache(redis: Redis, bus: MessageBus) -> SharedCache:
    return make(redis, bus)


class TestFinding:
    async def test_what_was_kept_is_found(self, cache: SharedCache) -> None:
        await cache.keep(ADA, VERIFICATION)
        assert await cache.find(ADA) == VERIFICATION
        assert await cache.find(BOB) is None

    @pytest.mark.parametrize("lifetime", [20, 100, 299])
    async def test_it_is_gone_with_the_tokens_expiry(
        self, cache: SharedCache, redis: Redis, bus: MessageBus, lifetime: float
    ) -> None:
        await cache.keep(ADA, replace(VERIFICATION, expires_at=NOW + lifetime))
        assert 0 < await redis.pttl(key_of(ADA)) <= lifetime * 1000
        later = make(redis, bus, now=NOW + lifetime)
        assert await later.find(ADA) is None

    async def test_it_is_gone_five_minutes_after_the_verification(
        self, cache: SharedCache, redis: Redis, bus: MessageBus
    ) -> None:
        await cache.keep(ADA, replace(VERIFICATION, verified_at=NOW - 100))
        assert 180_000 < await redis.pttl(key_of(ADA)) <= 200_000  # a busy machine is slow
        later = make(redis, bus, now=NOW + 200)
        assert await later.find(ADA) is None

    async def test_what_is_not_trusted_any_more_is_not_kept(
        self, cache: SharedCache, redis: Redis
    ) -> None:
        await cache.keep(ADA, replace(VERIFICATION, expires_at=NOW))
        assert await redis.exists(key_of(ADA)) == 0

    @pytest.mark.parametrize(("ahead", "found"), [(5, VERIFICATION), (100, None)])
    async def test_a_process_whose_clock_is_far_ahead_extends_no_trust(
        self,
        cache: SharedCache,
        redis: Redis,
        bus: MessageBus,
        ahead: float,
        found: Verification | None,
    ) -> None:
        await cache.keep(ADA, VERIFICATION)
        behind = make(redis, bus, now=NOW - ahead)
        assert await behind.find(ADA) == found


class TestTampering:
    async def test_an_entry_copied_from_another_token_is_none(
        self, cache: SharedCache, redis: Redis
    ) -> None:
        await cache.keep(ADA, VERIFICATION)
        await redis.copy(key_of(ADA), key_of(BOB))
        with capture_logs() as logs:
            assert await cache.find(BOB) is None
        assert [entry["event"] for entry in logs] == ["a cached token was tampered with"]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b'"ada"', b'"bob"'),
            (str(VERIFICATION.user_id).encode(), str(uuid4()).encode()),
            (str(NOW + 3600).encode(), str(NOW + 9999).encode()),
        ],
        ids=["uid", "user", "expiry"],
    )
    async def test_an_edited_entry_is_none(
        self, cache: SharedCache, redis: Redis, old: bytes, new: bytes
    ) -> None:
        await cache.keep(ADA, VERIFICATION)
        entry = await redis.get(key_of(ADA))
        assert isinstance(entry, bytes)
        assert old in entry
        await redis.set(key_of(ADA), entry.replace(old, new))
        with capture_logs():
            assert await cache.find(ADA) is None

    @pytest.mark.parametrize("entry", [b"", b"x", b"[]", b"[].", b"\xff", b"...."])
    async def test_garbage_is_no_entry(
        self, cache: SharedCache, redis: Redis, entry: bytes
    ) -> None:
        await redis.set(key_of(ADA), entry)
        with capture_logs():
            assert await cache.find(ADA) is None

    async def test_a_key_of_another_type_is_no_entry(
        self, cache: SharedCache, redis: Redis
    ) -> None:
        await redis.sadd(key_of(ADA), "member")  # type: ignore[misc]  # typed for sync, too
        assert await cache.find(ADA) is None

    async def test_an_entry_signed_with_another_secret_is_none(
        self, cache: SharedCache, redis: Redis, bus: MessageBus
    ) -> None:
        await make(redis, bus, secret=b"t" * 32).keep(ADA, VERIFICATION)
        with capture_logs():
            assert await cache.find(ADA) is None


async def test_without_redis_nothing_is_known_and_nothing_fails(
    redis: Redis, bus: MessageBus, kill_valkey: Callable[[], None]
) -> None:
    cache = SharedCache(redis, bus, secret=SECRET, clock=lambda: NOW)
    await cache.keep(ADA, VERIFICATION)
    kill_valkey()
    assert await cache.find(ADA) is None
    await cache.keep(ADA, VERIFICATION)
