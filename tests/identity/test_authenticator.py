import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from myapp.bus import MessageBus
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.errors import Forbidden, Unauthenticated, Unavailable
from myapp.identity.accounts import Accounts
from myapp.identity.authenticator import Authenticator, Principal
from myapp.identity.base import Identity, NotYetValid, SignIn
from myapp.identity.shared_cache import KEY_PREFIX, REDIS_SECONDS, SharedCache
from tests.support.hubs import until

SECRET = b"s" * 32
START = 1_800_000_000.0
TOKEN = "e30.e30.AAAA"
OTHER_TOKEN = "e30.e30.BBBB"
PATIENCE = 15.0  # in seconds, for a machine that is busy


@dataclass
class World:
    """What all processes share: time, the provider's truth and the users' table."""

    now: float = START
    genuine: dict[str, str] = field(default_factory=lambda: {TOKEN: "ada", OTHER_TOKEN: "bob"})
    lifetime: float = 3600.0
    away: bool = False
    early: bool = False
    verifications: int = 0
    resolutions: int = 0
    users: dict[UUID, User] = field(default_factory=dict)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.go.set()

    def clock(self) -> float:
        return self.now

    async def verify(self, token: str) -> Identity:
        self.verifications += 1
        await self.go.wait()
        if self.away:
            raise Unavailable
        if self.early:
            raise NotYetValid
        if token not in self.genuine:
            raise Unauthenticated("forged")
        issued_at, expires_at = (
            datetime.fromtimestamp(second, UTC) for second in (START, START + self.lifetime)
        )
        return Identity(self.genuine[token], "ada@example.com", True, None, issued_at, expires_at)

    async def find_ended(self, _sign_ins: Collection[SignIn]) -> frozenset[SignIn]:
        return frozenset()

    async def close(self) -> None:
        pass

    async def resolve(self, identity: Identity) -> UUID:
        self.resolutions += 1
        for user_id, user in self.users.items():
            if user.identity_uid == identity.uid:
                return user_id
        user_id = uuid4()
        self.users[user_id] = User(id=user_id, identity_uid=identity.uid)
        return user_id

    async def load(self, user_id: UUID) -> User | None:
        return self.users.get(user_id)


@dataclass
class Process:
    """One process's parts."""

    authenticator: Authenticator
    accounts: Accounts
    bus: MessageBus
    redis: Redis

    async def authenticate(self, token: str = TOKEN) -> Principal:
        return await self.authenticator.authenticate(token)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def redis_seconds() -> float:
    """What a process waits for Redis; override this where it is away."""
    return PATIENCE


async def open_process(
    world: World, stack: AsyncExitStack, socket: str, *, redis_seconds: float
) -> Process:
    redis = await stack.enter_async_context(Redis(unix_socket_path=socket))
    bus = await stack.enter_async_context(MessageBus(redis, publish_seconds=PATIENCE))
    accounts = await stack.enter_async_context(Accounts(bus, load=world.load, clock=world.clock))
    shared = SharedCache(redis, bus, secret=SECRET, clock=world.clock, redis_seconds=redis_seconds)
    authenticator = Authenticator(
        world, accounts, shared, resolve=world.resolve, secret=SECRET, clock=world.clock
    )
    return Process(authenticator, accounts, bus, redis)


@pytest.fixture
async def process(
    world: World, stack: AsyncExitStack, valkey_socket: str, redis_seconds: float
) -> Process:
    return await open_process(world, stack, valkey_socket, redis_seconds=redis_seconds)


@pytest.fixture
async def other(
    world: World, stack: AsyncExitStack, valkey_socket: str, redis_seconds: float
) -> Process:
    return await open_process(world, stack, valkey_socket, redis_seconds=redis_seconds)


async def refusal_by(process: Process) -> str:
    """The code of its refusal, as soon as there is one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await process.authenticate()
            except Forbidden as error:
                return error.error_code
            await asyncio.sleep(0.01)


class TestLettingIn:
    async def test_a_genuine_token_is_its_owner(self, process: Process, world: World) -> None:
        principal = await process.authenticate()
        assert principal.sign_in.uid == "ada"
        assert principal.user.identity_uid == "ada"
        assert principal.expires_at == datetime.fromtimestamp(START + 3600, UTC)

    async def test_the_second_time_nobody_is_asked(self, process: Process, world: World) -> None:
        for _ in range(3):
            await process.authenticate()
        assert (world.verifications, world.resolutions) == (1, 1)

    async def test_fifty_at_once_are_one_verification(self, process: Process, world: World) -> None:
        world.go.clear()
        tasks = [asyncio.create_task(process.authenticate()) for _ in range(50)]
        await asyncio.sleep(0.05)
        world.go.set()
        principals = await asyncio.gather(*tasks)
        assert len({principal.user.id for principal in principals}) == 1
        assert (world.verifications, world.resolutions) == (1, 1)

    async def test_a_first_caller_that_hangs_up_takes_nobody_along(
        self, process: Process, world: World
    ) -> None:
        world.go.clear()
        first, second = (asyncio.create_task(process.authenticate()) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.sleep(0)
        world.go.set()
        assert (await second).sign_in.uid == "ada"

    async def test_another_process_asks_redis_and_not_the_provider(
        self, process: Process, other: Process, world: World
    ) -> None:
        here = await process.authenticate()
        there = await other.authenticate()
        assert there == Principal(here.user, SignIn("ada", START), here.expires_at)
        assert (world.verifications, world.resolutions) == (1, 1)

    async def test_a_known_token_never_yields_to_the_loop(self, process: Process) -> None:
        await process.authenticate()
        with pytest.raises(StopIteration):
            process.authenticate().send(None)


class TestTrust:
    async def test_after_five_minutes_the_provider_is_asked_again(
        self, process: Process, world: World
    ) -> None:
        await process.authenticate()
        world.now += 299
        await process.authenticate()
        assert world.verifications == 1
        world.now += 1
        del world.genuine[TOKEN]
        with pytest.raises(Unauthenticated):
            await process.authenticate()

    async def test_the_five_minutes_are_not_begun_anew_by_way_of_redis(
        self, process: Process, other: Process, world: World
    ) -> None:
        await process.authenticate()
        world.now += 200
        await other.authenticate()
        assert world.verifications == 1
        world.now += 100
        await other.authenticate()
        assert world.verifications == 2

    @pytest.mark.parametrize("lifetime", [30, 299, 3600])
    async def test_a_token_is_refused_from_the_moment_of_its_expiry(
        self, process: Process, other: Process, world: World, lifetime: float
    ) -> None:
        world.lifetime = lifetime
        for each in (process, other):
            world.now = START + lifetime - 0.001
            await each.authenticate()
            world.now = START + lifetime
            with pytest.raises(Unauthenticated, match="expired"):
                await each.authenticate()


class TestRefusing:
    @pytest.mark.parametrize("token", ["", "abcde", "a.b", "Basic abc", "é.e30.e30", "A" * 9000])
    async def test_what_is_no_token_reaches_no_provider(
        self, process: Process, world: World, token: str
    ) -> None:
        with pytest.raises(Unauthenticated):
            await process.authenticate(token)
        assert world.verifications == 0

    async def test_a_changed_signature_is_refused_after_the_right_one_was_known(
        self, process: Process
    ) -> None:
        await process.authenticate()
        for forged in ("e30.e30.AAAB", "e30.e30.AAA", "e30.e30.AAAAAAAA", "e30.e30."):
            with pytest.raises(Unauthenticated):
                await process.authenticate(forged)

    async def test_a_forged_token_costs_the_provider_once_in_ten_seconds(
        self, process: Process, world: World
    ) -> None:
        for _ in range(3):
            with pytest.raises(Unauthenticated, match="forged"):
                await process.authenticate("e30.e30.AAAB")
        assert world.verifications == 1
        world.now += 10
        with pytest.raises(Unauthenticated):
            await process.authenticate("e30.e30.AAAB")
        assert world.verifications == 2

    async def test_a_token_from_the_near_future_is_good_as_soon_as_it_is(
        self, process: Process, world: World
    ) -> None:
        world.early = True
        with pytest.raises(Unauthenticated):
            await process.authenticate()
        world.early = False
        assert (await process.authenticate()).sign_in.uid == "ada"

    async def test_a_provider_out_of_reach_is_unavailable_and_not_remembered(
        self, process: Process, world: World
    ) -> None:
        world.away = True
        with pytest.raises(Unavailable):
            await process.authenticate()
        world.away = False
        assert (await process.authenticate()).sign_in.uid == "ada"

    async def test_known_tokens_are_good_while_the_provider_is_out_of_reach(
        self, process: Process, other: Process, world: World
    ) -> None:
        await process.authenticate()
        world.away = True
        assert (await process.authenticate()).sign_in.uid == "ada"
        assert (await other.authenticate()).sign_in.uid == "ada"


class TestTampering:
    async def test_an_entry_copied_from_another_token_signs_nobody_in(
        self, process: Process, other: Process
    ) -> None:
        await process.authenticate()
        (ada,) = await process.redis.keys(KEY_PREFIX + "*")
        forged = "e30.e30.AAAB"
        digest = other.authenticator._digest(forged)
        await process.redis.copy(ada.decode(), KEY_PREFIX + digest.hex())
        with capture_logs() as logs, pytest.raises(Unauthenticated):
            await other.authenticate(forged)
        assert [entry["event"] for entry in logs] == ["a cached token was tampered with"]

    async def test_redis_holds_neither_tokens_nor_emails(self, process: Process) -> None:
        await process.authenticate()
        (key,) = await process.redis.keys(KEY_PREFIX + "*")
        entry = await process.redis.get(key)
        assert isinstance(entry, bytes)
        assert TOKEN.encode() not in key + entry
        assert b"@" not in entry


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (UserStatus.SUSPENDED, "account_suspended"),
            (UserStatus.DELETED, "account_deleted"),
        ],
    )
    async def test_an_account_out_of_use_is_forbidden_in_every_process_within_a_second(
        self,
        process: Process,
        other: Process,
        world: World,
        status: UserStatus,
        code: str,
    ) -> None:
        user = (await process.authenticate()).user
        await other.authenticate()
        world.users[user.id] = User(id=user.id, identity_uid="ada", status=status)
        await process.accounts.announce(user.id)
        with pytest.raises(Forbidden) as here:
            await process.authenticate()
        assert here.value.error_code == code
        assert await refusal_by(other) == code

    async def test_it_is_let_in_again_when_it_is_restored(
        self, process: Process, world: World
    ) -> None:
        user = (await process.authenticate()).user
        world.users[user.id] = User(id=user.id, identity_uid="ada", status=UserStatus.DELETED)
        await process.accounts.announce(user.id)
        with pytest.raises(Forbidden):
            await process.authenticate()
        world.users[user.id] = user
        await process.accounts.announce(user.id)
        assert (await process.authenticate()).user.id == user.id

    async def test_after_a_purge_the_identity_starts_afresh_everywhere(
        self, process: Process, other: Process, world: World
    ) -> None:
        old = (await process.authenticate()).user
        await other.authenticate()
        del world.users[old.id]
        world.now += 5
        new = await asyncio.gather(*(process.authenticate() for _ in range(10)))
        assert {principal.user.id for principal in new} == set(world.users)
        assert old.id not in world.users
        assert (await other.authenticate()).user.id in world.users
        assert world.verifications == 3


class TestWithoutRedis:
    @pytest.fixture
    def redis_seconds(self) -> float:
        return REDIS_SECONDS

    async def test_known_and_unknown_tokens_are_good_and_forged_ones_are_not(
        self, process: Process, world: World, kill_valkey: Callable[[], None]
    ) -> None:
        await process.authenticate(TOKEN)
        kill_valkey()
        assert (await process.authenticate(TOKEN)).sign_in.uid == "ada"
        assert (await process.authenticate(OTHER_TOKEN)).sign_in.uid == "bob"
        with pytest.raises(Unauthenticated):
            await process.authenticate("e30.e30.AAAB")

    async def test_an_unknown_token_waits_for_redis_no_longer_than_a_moment(
        self, process: Process, kill_valkey: Callable[[], None]
    ) -> None:
        kill_valkey()
        began = time.monotonic()
        await process.authenticate()
        assert time.monotonic() - began < 10


class TestRedisIsBack:
    async def test_sharing_goes_on(
        self,
        process: Process,
        other: Process,
        world: World,
        kill_valkey: Callable[[], None],
        start_valkey: Callable[[], None],
    ) -> None:
        kill_valkey()
        await until(lambda: not process.bus.connected, within=PATIENCE)
        await process.authenticate(TOKEN)
        start_valkey()
        await until(lambda: process.bus.connected and other.bus.connected, within=PATIENCE)
        await process.authenticate(OTHER_TOKEN)
        await other.authenticate(OTHER_TOKEN)
        assert world.verifications == 2
