import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from myapp.bus import PUBLISH_SECONDS, MessageBus
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.identity.accounts import CHANNEL, Accounts

ADA = uuid4()
PATIENCE = 15.0  # in seconds, for a machine that is busy


class Table:
    """The users' table: counts its reads, and makes them wait on demand."""

    def __init__(self) -> None:
        self.status: dict[UUID, UserStatus] = {ADA: UserStatus.ACTIVE}
        self.reads = 0
        self.away = False
        self.ready = asyncio.Event()
        self.ready.set()

    async def load(self, user_id: UUID) -> User | None:
        self.reads += 1
        status = self.status.get(user_id)
        await self.ready.wait()
        if self.away:
            raise OSError("away")
        return None if status is None else User(id=user_id, status=status)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def open_accounts(
    socket: str,
    table: Table,
    clock: Callable[[], float] = time.monotonic,
    *,
    publish_seconds: float = PUBLISH_SECONDS,
) -> AsyncIterator[Accounts]:
    """One process's."""
    async with (
        Redis(unix_socket_path=socket) as redis,
        MessageBus(redis, publish_seconds=publish_seconds) as bus,
        Accounts(bus, load=table.load, clock=clock) as accounts,
    ):
        yield accounts


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def accounts(valkey_socket: str, table: Table, clock: Clock) -> AsyncIterator[Accounts]:
    async with open_accounts(valkey_socket, table, clock) as accounts:
        yield accounts


async def status_in(accounts: Accounts) -> UserStatus:
    user = await accounts.get(ADA)
    assert user is not None
    return user.status


async def until_status(accounts: Accounts, status: UserStatus) -> None:
    async with asyncio.timeout(PATIENCE):
        while await status_in(accounts) != status:  # noqa: ASYNC110  # it looks from outside
            await asyncio.sleep(0.01)


class TestGetting:
    async def test_a_user_is_read_once_in_five_seconds(
        self, accounts: Accounts, table: Table, clock: Clock
    ) -> None:
        await status_in(accounts)
        clock.now += 4.9
        await status_in(accounts)
        assert table.reads == 1
        table.status[ADA] = UserStatus.SUSPENDED
        clock.now += 0.1
        assert await status_in(accounts) == UserStatus.SUSPENDED

    async def test_the_five_seconds_count_from_the_question_to_the_database(
        self, accounts: Accounts, table: Table, clock: Clock
    ) -> None:
        table.ready.clear()
        task = asyncio.create_task(accounts.get(ADA))
        await asyncio.sleep(0.01)
        clock.now += 4
        table.ready.set()
        await task
        clock.now += 1
        await status_in(accounts)
        assert table.reads == 2

    async def test_fifty_at_once_are_one_read(self, accounts: Accounts, table: Table) -> None:
        table.ready.clear()
        tasks = [asyncio.create_task(status_in(accounts)) for _ in range(50)]
        await asyncio.sleep(0.01)
        table.ready.set()
        await asyncio.gather(*tasks)
        assert table.reads == 1

    async def test_nobody_is_none_and_is_not_remembered(
        self, accounts: Accounts, table: Table
    ) -> None:
        bob = uuid4()
        assert await accounts.get(bob) is None
        table.status[bob] = UserStatus.ACTIVE
        assert await accounts.get(bob) is not None

    async def test_what_the_database_raises_comes_through_and_is_not_remembered(
        self, accounts: Accounts, table: Table
    ) -> None:
        table.away = True
        with pytest.raises(OSError, match="away"):
            await accounts.get(ADA)
        table.away = False
        assert await status_in(accounts) == UserStatus.ACTIVE


class TestForgetting:
    async def test_the_next_one_learns_what_is_true_now(
        self, accounts: Accounts, table: Table
    ) -> None:
        await status_in(accounts)
        table.status[ADA] = UserStatus.SUSPENDED
        accounts.forget(ADA)
        assert await status_in(accounts) == UserStatus.SUSPENDED

    async def test_a_read_that_began_before_is_not_remembered_after(
        self, accounts: Accounts, table: Table
    ) -> None:
        table.ready.clear()
        early = asyncio.create_task(status_in(accounts))
        await asyncio.sleep(0.01)
        table.status[ADA] = UserStatus.SUSPENDED
        accounts.forget(ADA)
        late = asyncio.create_task(status_in(accounts))
        await asyncio.sleep(0.01)
        table.ready.set()
        assert await early == UserStatus.ACTIVE
        assert await late == UserStatus.SUSPENDED
        assert await status_in(accounts) == UserStatus.SUSPENDED

    async def test_nor_one_that_ends_after_the_new_one(
        self, accounts: Accounts, table: Table
    ) -> None:
        table.ready.clear()
        early = asyncio.create_task(status_in(accounts))
        await asyncio.sleep(0.01)
        table.status[ADA] = UserStatus.SUSPENDED
        accounts.forget(ADA)
        slow, table.ready = table.ready, asyncio.Event()
        table.ready.set()
        assert await status_in(accounts) == UserStatus.SUSPENDED
        slow.set()
        await early
        assert await status_in(accounts) == UserStatus.SUSPENDED

    async def test_those_who_asked_are_told(self, accounts: Accounts) -> None:
        told: list[UUID | None] = []

        def fail(_: UUID | None) -> None:
            raise ZeroDivisionError

        accounts.on_change(fail)
        accounts.on_change(told.append)
        with capture_logs():
            accounts.forget(ADA)
        assert told == [ADA]


class TestAnnouncing:
    async def test_another_process_learns_it_from_the_announcement_alone(
        self, valkey_socket: str, table: Table, clock: Clock
    ) -> None:
        async with (
            open_accounts(valkey_socket, table, publish_seconds=PATIENCE) as here,
            open_accounts(valkey_socket, table, clock) as there,  # where no time passes
        ):
            told: list[UUID | None] = []
            there.on_change(told.append)
            await status_in(here)
            await status_in(there)
            table.status[ADA] = UserStatus.SUSPENDED
            await here.announce(ADA)
            assert await status_in(here) == UserStatus.SUSPENDED
            await until_status(there, UserStatus.SUSPENDED)
            assert told == [ADA]

    async def test_without_redis_it_succeeds_and_says_so_once(
        self,
        accounts: Accounts,
        table: Table,
        kill_valkey: Callable[[], None],
    ) -> None:
        await status_in(accounts)
        table.status[ADA] = UserStatus.SUSPENDED
        kill_valkey()
        with capture_logs() as logs:
            for _ in range(3):
                await accounts.announce(ADA)
        assert await status_in(accounts) == UserStatus.SUSPENDED
        events = [entry["event"] for entry in logs]
        assert events.count("changes of users are not announced") == 1

    async def test_without_redis_another_process_knows_after_five_seconds(
        self, valkey_socket: str, table: Table, clock: Clock, kill_valkey: Callable[[], None]
    ) -> None:
        async with (
            open_accounts(valkey_socket, table) as here,
            open_accounts(valkey_socket, table, clock) as there,
        ):
            await status_in(there)
            kill_valkey()
            table.status[ADA] = UserStatus.SUSPENDED
            await here.announce(ADA)
            clock.now += 5
            assert await status_in(there) == UserStatus.SUSPENDED

    async def test_what_was_missed_in_a_gap_is_known_as_soon_as_redis_is_back(
        self,
        valkey_socket: str,
        table: Table,
        clock: Clock,
        kill_valkey: Callable[[], None],
        start_valkey: Callable[[], None],
    ) -> None:
        async with (
            open_accounts(valkey_socket, table) as here,
            open_accounts(valkey_socket, table, clock) as there,
        ):
            told: list[UUID | None] = []
            there.on_change(told.append)
            await status_in(there)
            kill_valkey()
            table.status[ADA] = UserStatus.SUSPENDED
            await here.announce(ADA)
            assert await status_in(there) == UserStatus.ACTIVE  # its clock stands still
            start_valkey()
            await until_status(there, UserStatus.SUSPENDED)
            assert told == [None]

    async def test_a_message_that_is_none_harms_nobody(
        self, valkey_socket: str, accounts: Accounts, table: Table
    ) -> None:
        told: list[UUID | None] = []
        accounts.on_change(told.append)
        async with Redis(unix_socket_path=valkey_socket) as redis:
            with capture_logs():
                await redis.publish(CHANNEL, b"\xff")
                await redis.publish(CHANNEL, str(ADA).encode())
                async with asyncio.timeout(5):
                    while not told:  # noqa: ASYNC110  # it looks from outside
                        await asyncio.sleep(0.01)
        assert told == [ADA]
