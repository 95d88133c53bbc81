"""What watchers are told, over a real bus and accounts that the test makes up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from grpclib import GRPCError, Status
from redis.asyncio import Redis

from myapp.bus import MessageBus
from myapp.database.user import User
from myapp.errors import Unavailable
from myapp.grpc.account_feed import BATCH, BUFFER, MAX_PENDING, AccountFeed
from myapp.grpc.generated.account_pb2 import Account
from myapp.identity.accounts import Accounts
from myapp.sse.keys import Key
from tests.support.hubs import until
from tests.support.valkey import Valkey


class Process:
    """What one process has of changes; its database is a dict."""

    def __init__(self, url: str) -> None:
        self.redis: Redis = Redis.from_url(url)
        self.bus = MessageBus(self.redis)
        self.accounts = Accounts(self.bus, load=self._load_one)
        self.users: dict[UUID, User] = {}
        self.loads: list[int] = []
        self.away = False
        self.ends: list[GRPCError] = []
        self.feed = AccountFeed(
            self.accounts, self.bus, load=self._load_many, describe=self._describe
        )

    def add(self) -> UUID:
        user = User(id=uuid4(), updated_at=datetime.now(UTC))
        self.users[user.id] = user
        return user.id  # type: ignore[no-any-return]  # an entity's id is Any

    async def change(self, user_id: UUID, name: str) -> None:
        self.users[user_id].name = name
        self.users[user_id].updated_at = datetime.now(UTC)
        await self.accounts.announce(user_id)

    async def _load_one(self, user_id: UUID) -> User | None:
        return self.users.get(user_id)

    async def _load_many(self, user_ids: Sequence[UUID]) -> dict[UUID, User]:
        self.loads.append(len(user_ids))
        if self.away:
            raise Unavailable
        return {each: self.users[each] for each in user_ids if each in self.users}

    async def _describe(self, user: User) -> Account:
        return Account(id=str(user.id), name=user.name)


@pytest.fixture
async def process(own_valkey: Valkey) -> AsyncIterator[Process]:
    process = Process(own_valkey.url)
    async with process.redis, process.bus, process.accounts:
        running = asyncio.create_task(process.feed.run())
        yield process
        running.cancel()
        await asyncio.wait([running])


async def test_a_change_that_is_heard_twice_is_told_once(process: Process) -> None:
    one = process.add()
    async with process.feed.watch(process.ends.append) as changes:
        await process.accounts.announce(one)  # heard at once, and again from the bus
        assert (await changes.get()).account.id == str(one)
        await process.change(one, "again")
        assert (await changes.get()).account.name == "again"
        await asyncio.sleep(0.1)
        assert changes.empty()
    assert process.ends == []


async def test_an_account_that_is_gone_is_told_as_purged(process: Process) -> None:
    one = process.add()
    async with process.feed.watch(process.ends.append) as changes:
        del process.users[one]
        await process.accounts.announce(one)
        assert (await changes.get()).purged_id == str(one)
        await asyncio.sleep(0.1)
        assert changes.empty()


async def test_who_reads_in_time_keeps_up_with_thousands_of_changes(process: Process) -> None:
    ids = [process.add() for _ in range(3000)]
    told: set[str] = set()

    async def read() -> None:
        while True:
            told.add((await changes.get()).account.id)

    async with process.feed.watch(process.ends.append) as changes:
        reading = asyncio.create_task(read())
        for user_id in ids:
            process.accounts.forget(user_id)
        await until(lambda: len(told) == 3000, within=30)
        reading.cancel()
    assert process.ends == []
    assert max(process.loads) <= BATCH


async def test_a_watcher_who_does_not_read_is_ended_and_others_are_not(process: Process) -> None:
    ids = [process.add() for _ in range(BUFFER + 1)]
    others: list[GRPCError] = []
    async with (
        process.feed.watch(process.ends.append) as idle,
        process.feed.watch(others.append) as changes,
    ):
        for user_id in ids:
            process.accounts.forget(user_id)
            await changes.get()
        await until(lambda: bool(process.ends))
        assert idle.qsize() == BUFFER
    assert process.ends[0].status is Status.RESOURCE_EXHAUSTED
    assert others == []


async def test_too_many_changes_to_tell_end_every_watch(process: Process) -> None:
    async with process.feed.watch(process.ends.append):
        for _ in range(MAX_PENDING + 1):
            process.accounts.forget(uuid4())
    assert [error.status for error in process.ends] == [Status.UNAVAILABLE]


async def test_changes_wait_for_the_database(process: Process) -> None:
    one = process.add()
    process.away = True
    async with process.feed.watch(process.ends.append) as changes:
        await process.change(one, "late")
        await until(lambda: len(process.loads) >= 2)
        process.away = False
        assert (await changes.get()).account.name == "late"
    assert process.ends == []


async def test_events_are_heard_only_while_somebody_watches(process: Process) -> None:
    for _ in range(2):
        async with process.feed.watch(process.ends.append), process.feed.watch(process.ends.append):
            assert await listeners(process) == 1
        async with asyncio.timeout(10):
            while await listeners(process):  # noqa: ASYNC110  # Redis sets no event
                await asyncio.sleep(0.01)


async def test_nobody_reads_what_nobody_watches(process: Process) -> None:
    await process.change(process.add(), "unseen")
    await asyncio.sleep(0.1)
    assert process.loads == []


async def test_without_redis_a_watch_ends_and_none_begins(
    process: Process, own_valkey: Valkey
) -> None:
    async with process.feed.watch(process.ends.append):
        own_valkey.kill()
        await until(lambda: bool(process.ends))
    assert process.ends[0].status is Status.UNAVAILABLE
    with pytest.raises(Unavailable):
        async with process.feed.watch(process.ends.append):
            pass


async def test_a_short_gap_ends_a_watch_too(process: Process, own_valkey: Valkey) -> None:
    async with process.feed.watch(process.ends.append):
        own_valkey.kill()
        own_valkey.start()
        await until(lambda: process.bus.connected and bool(process.ends))
    async with process.feed.watch(process.ends.append):
        await asyncio.sleep(0.05)
    assert len(process.ends) == 1


async def listeners(process: Process) -> int:
    """How many connections Redis would tell of an event."""
    answer = await process.redis.pubsub_numsub(Key.EVERYTHING)
    return int(answer[0][1])
