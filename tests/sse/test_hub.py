"""Streams over several processes, against a real server."""

import asyncio
import gc
import json
import time
import weakref
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import pytest
import redis
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from myapp.bus import Callback, MessageBus, Unsubscribe
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.errors import Forbidden, RateLimited, Unavailable
from myapp.events import Event
from myapp.identity.base import MOST_SIGN_INS, SignIn
from myapp.lua import read_script
from myapp.sse.guard import LAST_WORD_SECONDS
from myapp.sse.history import KEPT_EVENTS
from myapp.sse.hub import HEARTBEAT_TICKS, SUSPICION_TICKS, TICK_SECONDS
from myapp.sse.keys import Key
from myapp.sse.leases import Leases
from myapp.sse.stream import BUFFERED_EVENTS
from tests.sse.conftest import AddUser, StartProcess
from tests.support.hubs import SIGN_IN, Process, until
from tests.support.valkey import Valkey

DAY = 24 * 3600 * 1000
LATE_SECONDS = 0.2
REQUEST: ContextVar[object] = ContextVar("request")


class LateBus(MessageBus):
    """Redis takes its time with subscriptions to events."""

    async def subscribe(self, channel: str, callback: Callback) -> Unsubscribe:
        if channel.startswith("myapp:events:"):
            await asyncio.sleep(LATE_SECONDS)
        return await super().subscribe(channel, callback)


class SlowLeases(Leases):
    """To give one back takes until another one is given up, and some turns of the loop."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._given_up = asyncio.Event()

    async def release(self, user_id: UUID, number: int) -> None:
        try:
            await self._given_up.wait()
        finally:
            self._given_up.set()
        for _ in range(number % 4):
            await asyncio.sleep(0)


class HeldRenewals(Leases):
    """A renewal waits until it may go on. `renewed` are the streams of the first one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.renewed: list[tuple[UUID, int]] = []
        self.has_renewed = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def renew(self, streams: Iterable[tuple[UUID, int]]) -> None:
        pairs = list(streams)
        self.renewed = self.renewed or pairs
        await self.may_go_on.wait()
        await super().renew(pairs)
        if pairs == self.renewed:
            self.has_renewed.set()


class TestOpening:
    async def test_it_begins_with_a_retry_and_a_bare_id(self, one: Process, ada: User) -> None:
        client = await one.connect(ada)
        (opening,) = client.parser.frames
        assert opening.retry is not None
        assert opening.id
        assert (opening.data, opening.type) == (None, None)

    async def test_retries_differ(self, one: Process, add_user: Callable[[], User]) -> None:
        clients = [await one.connect(add_user()) for _ in range(20)]
        assert len({client.parser.frames[0].retry for client in clients}) > 1

    async def test_who_is_cut_before_the_first_event_misses_nothing(
        self, one: Process, other: Process, ada: User
    ) -> None:
        client = await one.connect(ada)
        await client.close()
        await one.tell(ada, 1)
        await one.tell(None, 2)
        again = await other.connect(ada, last_event_id=client.last_id)
        await until(lambda: again.numbers == [1, 2])

    async def test_who_is_cut_in_the_middle_of_a_replay_returns_to_its_beginning(
        self, one: Process, ada: User
    ) -> None:
        client = await one.connect(ada)
        await client.close()
        await one.tell(ada, 1)
        cut = await one.connect(ada, last_event_id=client.last_id)
        opening = cut.parser.frames[0].id
        again = await one.connect(ada, last_event_id=opening)
        await until(lambda: again.numbers == [1])

    async def test_without_an_id_nothing_is_replayed(self, one: Process, ada: User) -> None:
        await one.tell(ada, 1)
        client = await one.connect(ada)
        await one.tell(ada, 2)
        await until(lambda: client.numbers == [2])

    async def test_nothing_of_the_request_is_kept_while_the_stream_is_open(
        self, one: Process, ada: User, bob: User
    ) -> None:
        await one.connect(bob)  # connections to Redis are kept, and so is what they were made in

        async def serve_request() -> weakref.ref[CollectorRegistry]:
            of_request = CollectorRegistry()  # anything would do
            REQUEST.set(of_request)
            await one.connect(ada, reads=False)
            return weakref.ref(of_request)

        of_request = await asyncio.create_task(serve_request())
        await asyncio.sleep(0)
        gc.collect()
        assert of_request() is None


class TestLive:
    async def test_an_event_reaches_its_user_in_every_process(
        self, one: Process, other: Process, ada: User, bob: User
    ) -> None:
        here, there = await one.connect(ada), await other.connect(ada)
        stranger = await other.connect(bob)
        await one.tell(ada, 1)
        await other.tell(None, 2)
        await until(lambda: here.numbers == there.numbers == [1, 2] and stranger.numbers == [2])

    async def test_an_event_has_its_type_its_data_and_the_id_it_was_given(
        self, one: Process, ada: User
    ) -> None:
        client = await one.connect(ada)
        event_id = await one.hub.publish(Event("a.b", b'{"x":[1]}', ada.id))
        await until(lambda: bool(client.parser.events))
        (event,) = client.parser.events
        assert (event.type, event.id) == ("a.b", event_id)
        assert event.json == {"type": "a.b", "data": {"x": [1]}}

    async def test_the_same_outbox_id_is_told_once(
        self, one: Process, other: Process, ada: User
    ) -> None:
        client = await other.connect(ada)
        ids = {await one.tell(ada, 1, outbox_id="7"), await other.tell(ada, 1, outbox_id="7")}
        await one.tell(ada, 2, outbox_id="8")
        await until(lambda: client.numbers == [1, 2])
        assert len(ids) == 1

    async def test_an_administrator_sees_everything_and_whom_it_is_for(
        self, one: Process, other: Process, admin: User, ada: User
    ) -> None:
        client = await other.connect(admin, is_admin=True)
        await one.tell(ada, 1)
        await one.tell(None, 2)
        await until(lambda: client.numbers == [1, 2])
        seen = [event.json["user_id"] for event in client.parser.events]
        assert seen == [str(ada.id), None]

    async def test_a_process_hears_only_what_its_clients_need(
        self, one: Process, other: Process, ada: User, bob: User
    ) -> None:
        async def channels() -> set[str]:
            found = await one.redis.pubsub_channels("myapp:events:*")
            return {name.decode() for name in found}

        assert await channels() == set()
        client = await one.connect(ada)
        assert await channels() == {Key.USER % ada.id, Key.ALL}
        await client.close()
        async with asyncio.timeout(5):
            while await channels():  # noqa: ASYNC110  # another process has the answer
                await asyncio.sleep(0.01)

    async def test_it_is_counted(self, one: Process, ada: User) -> None:
        client = await one.connect(ada)
        assert one.metric("event_streams_open") == 1
        await one.tell(ada, 1)
        await until(lambda: client.numbers == [1])
        assert one.metric("events_published_total") == 1
        assert one.metric("events_delivered_total") == 1
        assert one.metric("event_delivery_seconds_count") == 1
        await client.close()
        assert one.metric("event_streams_open") == 0
        await one.connect(ada, last_event_id=client.last_id)
        await one.connect(ada, last_event_id="made up")
        assert one.metric("event_replays_total") == 2
        assert one.metric("event_resyncs_total") == 1


class TestReplay:
    async def test_from_any_event_it_is_the_rest_whatever_the_process(
        self, one: Process, other: Process, ada: User, bob: User
    ) -> None:
        first = await one.connect(ada)
        targets = [ada, None, bob, ada, None] * 8
        await asyncio.gather(*(one.tell(user, n) for n, user in enumerate(targets)))
        expected = sum(user is not bob for user in targets)
        await until(lambda: len(first.numbers) == expected)
        for index, event in enumerate(first.parser.events):
            again = await other.connect(ada, last_event_id=event.id)
            rest = first.numbers[index + 1 :]
            await until(lambda client=again, rest=rest: client.numbers == rest)  # type: ignore[misc]
            await again.close()

    async def test_nothing_is_lost_or_repeated_while_events_keep_coming(
        self, one: Process, other: Process, ada: User
    ) -> None:
        first = await other.connect(ada)
        last_id, seen = first.last_id, list[int]()
        await first.close()
        total = 600

        async def publish() -> None:
            for n in range(total):
                await one.tell(ada if n % 3 else None, n)

        publishing = asyncio.create_task(publish())
        while len(seen) < total:
            process = (one, other)[len(seen) % 2]
            client = await process.connect(ada, last_event_id=last_id)
            await asyncio.sleep(0.01)
            await client.close()
            seen += client.numbers
            last_id = client.last_id
            assert seen == list(range(len(seen)))
        await publishing
        assert seen == list(range(total))

    async def test_what_happens_before_the_subscription_is_in_force_is_not_lost(
        self, start_process: StartProcess, one: Process, ada: User
    ) -> None:
        begin = await one.connect(ada)
        slow = await start_process(bus_type=LateBus)
        opening = asyncio.create_task(slow.connect(ada, last_event_id=begin.last_id))
        for n in range(40):
            await one.tell(ada, n)
            await asyncio.sleep(LATE_SECONDS / 20)
        client = await opening
        await until(lambda: client.numbers == list(range(40)))

    async def test_a_thousand_events_come_by_pages_in_order(self, one: Process, ada: User) -> None:
        client = await one.connect(ada)
        await client.close()
        for n in range(KEPT_EVENTS):
            await one.tell(ada, n)
        again = await one.connect(ada, last_event_id=client.last_id)
        await one.tell(ada, KEPT_EVENTS)
        await until(lambda: len(again.numbers) > KEPT_EVENTS)
        assert again.numbers == list(range(KEPT_EVENTS + 1))

    async def test_an_administrator_misses_nothing_either(
        self, one: Process, other: Process, admin: User, ada: User
    ) -> None:
        client = await one.connect(admin, is_admin=True)
        await client.close()
        await one.tell(ada, 1)
        await one.tell(None, 2)
        again = await other.connect(admin, last_event_id=client.last_id, is_admin=True)
        await until(lambda: again.numbers == [1, 2])


class TestResync:
    @staticmethod
    async def assert_resync(process: Process, user: User, last_event_id: str | None) -> None:
        """One resync, with an id that is good, and then the present."""
        client = await process.connect(user, last_event_id=last_event_id)
        await until(lambda: bool(client.parser.events))
        (event,) = client.parser.events
        assert event.type == "resync"
        assert event.json == {"type": "resync", "data": {}}
        await process.tell(user, 77)
        await until(lambda: client.numbers == [77])
        again = await process.connect(user, last_event_id=event.id)
        await until(lambda: again.numbers == [77])
        assert [event.type for event in again.parser.events] == ["test.number"]

    @pytest.mark.parametrize("event_id", ["made up", "0", "1-1", "é", "0" * 12 + ".1.1.0.AAAA"])
    async def test_comes_for_an_id_that_is_none(
        self, one: Process, ada: User, event_id: str
    ) -> None:
        await self.assert_resync(one, ada, event_id)

    async def test_comes_for_the_id_of_another_user(
        self, one: Process, ada: User, bob: User
    ) -> None:
        await self.assert_resync(one, ada, await one.tell(bob, 1))

    async def test_comes_for_an_administrators_id(
        self, one: Process, ada: User, admin: User
    ) -> None:
        client = await one.connect(admin, is_admin=True)
        await self.assert_resync(one, ada, client.last_id)

    async def test_comes_when_history_is_too_short(self, one: Process, ada: User) -> None:
        client = await one.connect(ada)
        await client.close()
        for n in range(KEPT_EVENTS + 1):
            await one.tell(ada, n)
        await self.assert_resync(one, ada, client.last_id)

    async def test_comes_after_a_flush(self, one: Process, ada: User) -> None:
        event_id = await one.tell(ada, 1)
        await one.redis.flushall()
        await self.assert_resync(one, ada, event_id)

    async def test_comes_to_who_is_connected_during_a_flush(
        self, one: Process, other: Process, ada: User, bob: User
    ) -> None:
        clients = [await one.connect(ada), await other.connect(ada), await other.connect(bob)]
        await one.redis.flushall()
        await one.tell(ada, 1)
        for client in clients:
            await until(lambda client=client: bool(client.parser.events))  # type: ignore[misc]
            assert [event.type for event in client.parser.events] == ["resync"]
        await one.tell(None, 2)
        for client in clients:
            await until(lambda client=client: client.numbers == [2])  # type: ignore[misc]

    async def test_comes_after_a_restart_without_the_data(
        self, one: Process, other: Process, own_valkey: Valkey, ada: User
    ) -> None:
        client = await other.connect(ada)
        event_id = await one.tell(ada, 1)
        await until(lambda: client.numbers == [1])
        own_valkey.kill()
        own_valkey.start()
        await until(lambda: [e.type for e in client.parser.events] == ["test.number", "resync"])
        await until(lambda: one.bus.connected)
        await self.assert_resync(one, ada, event_id)

    async def test_comes_to_all_when_one_process_knows_that_the_newest_event_was_lost(
        self, one: Process, other: Process, ada: User, bob: User
    ) -> None:
        client = await other.connect(bob)
        await one.tell(bob, 1)
        await until(lambda: client.numbers == [1])
        saved = await one.redis.hgetall(Key.ORDER)  # type: ignore[misc]  # sync or async
        await one.tell(ada, 2)
        await one.redis.hset(Key.ORDER, mapping=saved)  # type: ignore[misc]  # sync or async
        await one.redis.delete(Key.USER % ada.id)
        await one.redis.xtrim(Key.EVERYTHING, minid="0", approximate=False)
        await one.redis.xdel(Key.EVERYTHING, *await newest(one.redis, Key.EVERYTHING))
        await one.redis.client_kill_filter(_type="pubsub")
        await until(lambda: [e.type for e in client.parser.events] == ["test.number", "resync"])


def tell_while_blocking(url: str, user: User, numbers: Iterable[int]) -> None:
    """As another process would, while this one's loop does not get to run."""
    with redis.Redis.from_url(url) as client:
        append = client.register_script(read_script("myapp.sse.scripts", "append", Key))
        for n in numbers:
            data, once = json.dumps({"n": n}), f"burst {n}"
            append(
                args=[
                    "",
                    0,
                    0,
                    "0" * 12,
                    str(user.id),
                    "test.number",
                    data,
                    once,
                    1000,
                    KEPT_EVENTS,
                    DAY,
                ]
            )


async def newest(redis: Redis, key: str) -> list[bytes]:
    return [name for name, _ in await redis.xrevrange(key, count=1)]


class TestRedisAway:
    async def test_a_stream_stays_open_and_then_has_what_it_missed(
        self, one: Process, other: Process, ada: User
    ) -> None:
        client = await one.connect(ada)
        await one.redis.client_kill_filter(_type="pubsub", skipme=False)
        for n in range(50):
            await other.tell(ada, n)
        await until(lambda: client.numbers == list(range(50)))
        assert not client.ended

    async def test_opening_and_publishing_are_unavailable_and_soon(
        self, one: Process, own_valkey: Valkey, ada: User
    ) -> None:
        client = await one.connect(ada)
        own_valkey.kill()
        await until(lambda: not one.bus.connected)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await one.connect(ada)
        with pytest.raises(Unavailable):
            await one.tell(ada, 1)
        assert time.monotonic() - began < 3
        assert not client.ended
        assert one.metric("event_streams_open") == 1

    async def test_it_beats_on(self, one: Process, own_valkey: Valkey, ada: User) -> None:
        client = await one.connect(ada)
        own_valkey.kill()
        await until(lambda: not one.bus.connected)
        client.stream.beat()
        await until(lambda: client.parser.frames[-1].comment)

    async def test_a_suspension_still_ends_a_stream_within_five_seconds(
        self, one: Process, own_valkey: Valkey, ada: User
    ) -> None:
        client = await one.connect(ada)
        own_valkey.kill()
        await until(lambda: not one.bus.connected)
        ada.status = UserStatus.SUSPENDED
        await until(lambda: client.ended, within=5)

    async def test_once_closed_it_asks_nothing_when_redis_is_back(
        self, own_valkey: Valkey, users: dict[UUID, User]
    ) -> None:
        process = Process(own_valkey.url, users)
        async with process.redis, process.bus, process.accounts:
            back = asyncio.Event()
            async with process.hub:
                process.bus.on_reconnect(back.set)  # called behind those of the hub
            await process.redis.client_kill_filter(_type="pubsub", skipme=False)
            await back.wait()
            assert [task for task in asyncio.all_tasks() if "Hub" in repr(task)] == []

    async def test_it_closes_also_where_leases_are_given_back_for_long(
        self, own_valkey: Valkey, users: dict[UUID, User], add_user: AddUser
    ) -> None:
        process = Process(own_valkey.url, users, leases_type=SlowLeases, close_seconds=0.01)
        async with process.redis, process.bus, process.accounts:
            async with process.hub:
                for _ in range(40):
                    client = await process.connect(add_user(), reads=False)
                    client.stream.close()
            assert [task for task in asyncio.all_tasks() if "Hub" in repr(task)] == []

    async def test_once_closed_it_gives_no_lease_back(
        self, own_valkey: Valkey, users: dict[UUID, User], ada: User
    ) -> None:
        process = Process(own_valkey.url, users)
        async with process.redis, process.bus, process.accounts:
            async with process.hub:
                client = await process.connect(ada, reads=False)
            client.stream.close()
            assert [task for task in asyncio.all_tasks() if "Hub" in repr(task)] == []


class TestSlowReader:
    async def test_is_dropped_when_its_buffer_is_full_and_delays_nobody(
        self, one: Process, ada: User
    ) -> None:
        slow, quick = await one.connect(ada, reads=False), await one.connect(ada)
        await anext(slow.stream)
        await one.tell(ada, 0)
        await anext(slow.stream)  # and from here on it takes nothing
        for n in range(1, BUFFERED_EVENTS + 2):
            await one.tell(ada, n)
        assert not slow.aborted
        await until(lambda: slow.aborted, within=3)
        await until(lambda: quick.numbers == list(range(BUFFERED_EVENTS + 2)))
        assert one.metric("event_readers_dropped_total") == 1

    async def test_is_kept_while_its_buffer_holds_what_came(self, one: Process, ada: User) -> None:
        slow = await one.connect(ada, reads=False)
        await anext(slow.stream)
        for n in range(BUFFERED_EVENTS):
            await one.tell(ada, n)
        await asyncio.sleep(0.5)
        assert not slow.aborted
        slow.start()
        await until(lambda: slow.numbers == list(range(BUFFERED_EVENTS)))

    async def test_holds_no_more_than_its_buffer(self, one: Process, ada: User) -> None:
        slow = await one.connect(ada, reads=False)
        await anext(slow.stream)
        for n in range(3 * BUFFERED_EVENTS):
            await one.tell(ada, n)
            assert len(slow.stream._buffer) <= BUFFERED_EVENTS

    async def test_who_was_only_not_given_the_time_is_not_dropped_and_misses_nothing(
        self, one: Process, own_valkey: Valkey, ada: User
    ) -> None:
        client = await one.connect(ada)
        total = 3 * BUFFERED_EVENTS
        tell_while_blocking(own_valkey.url, ada, range(total))
        await until(lambda: client.numbers == list(range(total)))
        await asyncio.sleep(0.5)
        assert not client.aborted

    async def test_resumes_by_its_last_id(self, one: Process, ada: User) -> None:
        slow = await one.connect(ada, reads=False)
        slow.parser.feed(await anext(slow.stream))
        for n in range(BUFFERED_EVENTS + 10):
            await one.tell(ada, n)
        await until(lambda: slow.aborted)
        await slow.close()
        again = await one.connect(ada, last_event_id=slow.last_id)
        await until(lambda: again.numbers == list(range(BUFFERED_EVENTS + 10)))


class TestEnd:
    async def test_comes_with_the_tokens_expiry(self, one: Process, ada: User) -> None:
        expiry = time.time() + 0.6
        client = await one.connect(ada, lifetime=0.6)
        await until(lambda: client.ended)
        assert time.time() >= expiry

    @pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.DELETED])
    async def test_comes_within_a_second_in_every_process(
        self, one: Process, other: Process, ada: User, bob: User, status: UserStatus
    ) -> None:
        clients = [await one.connect(ada), await other.connect(ada)]
        stranger = await other.connect(bob)
        ada.status = status
        await one.accounts.announce(ada.id)
        await until(lambda: all(client.ended for client in clients), within=3)
        assert not stranger.ended

    async def test_comes_when_the_account_is_gone(
        self, one: Process, ada: User, users: dict[object, User]
    ) -> None:
        client = await one.connect(ada)
        del users[ada.id]
        await one.accounts.announce(ada.id)
        await until(lambda: client.ended, within=3)

    async def test_comes_within_five_seconds_where_nobody_announced_why(
        self, one: Process, ada: User, bob: User
    ) -> None:
        """Whoever made the change may have died with it, or had no Redis of its own."""
        assert SUSPICION_TICKS * TICK_SECONDS + LAST_WORD_SECONDS < 5
        client, other = await one.connect(ada), await one.connect(bob)
        ada.status = UserStatus.SUSPENDED
        await until(lambda: client.ended, within=15)
        assert not other.ended

    async def test_comes_to_an_administrators_stream_with_the_demotion_alone(
        self, one: Process, other: Process, admin: User
    ) -> None:
        everything = await one.connect(admin, is_admin=True)
        own = await one.connect(admin)
        admin.role = UserRole.USER
        await other.accounts.announce(admin.id)
        await until(lambda: everything.ended, within=3)
        assert not own.ended

    async def test_does_not_come_with_another_change(
        self, one: Process, other: Process, ada: User
    ) -> None:
        client = await one.connect(ada)
        ada.name = "Countess"
        await other.accounts.announce(ada.id)
        await asyncio.sleep(0.3)
        assert not client.ended

    async def test_comes_after_a_gap_in_which_it_was_announced(
        self, one: Process, ada: User
    ) -> None:
        client = await one.connect(ada)
        ada.status = UserStatus.SUSPENDED
        await one.redis.client_kill_filter(_type="pubsub", skipme=False)
        await until(lambda: client.ended, within=5)

    async def test_comes_to_a_reader_that_takes_nothing(self, one: Process, ada: User) -> None:
        slow = await one.connect(ada, reads=False)
        await anext(slow.stream)
        ada.status = UserStatus.SUSPENDED
        await one.accounts.announce(ada.id)
        await until(lambda: slow.aborted, within=3)

    async def test_is_no_slow_reader_in_the_metrics(self, one: Process, ada: User) -> None:
        slow = await one.connect(ada, lifetime=0.1, reads=False)
        await anext(slow.stream)
        await until(lambda: slow.aborted)
        assert one.metric("event_readers_dropped_total") == 0

    async def test_a_user_suspended_in_the_moment_of_opening_gets_no_stream(
        self, one: Process, ada: User
    ) -> None:
        """The change is heard while the stream opens; authentication knew nothing of it."""
        await one.accounts.get(ada.id)
        opening = asyncio.create_task(one.connect(ada))
        await asyncio.sleep(0)
        ada.status = UserStatus.SUSPENDED
        one.accounts.forget(ada.id)
        with pytest.raises(Forbidden) as refusal:
            await opening
        assert refusal.value.error_code == "account_suspended"
        assert one.metric("event_streams_open") == 0


class TestRevocation:
    async def test_ends_the_streams_of_that_sign_in_alone(
        self, start_process: StartProcess, ada: User, bob: User
    ) -> None:
        process = await start_process(revocation_seconds=0.1)
        before, after = SignIn("ada", 1000), SignIn("ada", 2000)
        ended = [await process.connect(ada, sign_in=before) for _ in range(2)]
        others = [
            await process.connect(ada, sign_in=after),
            await process.connect(bob, sign_in=SignIn("bob", 1000)),
        ]
        process.ended.add(before)
        await until(lambda: all(client.ended for client in ended), within=15)
        await asyncio.sleep(0.3)
        assert not any(client.ended for client in others)

    async def test_is_looked_for_among_more_streams_than_the_provider_takes_at_once(
        self, start_process: StartProcess, add_user: Callable[[], User]
    ) -> None:
        process = await start_process(revocation_seconds=0.1)
        sign_ins = [SignIn(f"u{n}", 1000) for n in range(MOST_SIGN_INS + 1)]
        clients = [await process.connect(add_user(), sign_in=each) for each in sign_ins]
        process.ended.update((sign_ins[0], sign_ins[-1]))
        await until(lambda: clients[0].ended and clients[-1].ended, within=15)
        assert sum(client.ended for client in clients) == 2

    async def test_is_found_also_where_the_provider_failed_for_others(
        self, start_process: StartProcess, add_user: Callable[[], User]
    ) -> None:
        process = await start_process(revocation_seconds=0.1)
        sign_ins = [SignIn(f"u{n}", 1000) for n in range(MOST_SIGN_INS + 1)]
        clients = [await process.connect(add_user(), sign_in=each) for each in sign_ins]
        process.unlucky = sign_ins[0]
        process.ended.add(sign_ins[-1])
        await until(lambda: clients[-1].ended, within=15)

    async def test_ends_nothing_while_the_provider_is_away_and_is_found_after_it(
        self, start_process: StartProcess, ada: User
    ) -> None:
        process = await start_process(revocation_seconds=0.1)
        client = await process.connect(ada)
        process.provider_is_away = True
        process.ended.add(SIGN_IN)
        await asyncio.sleep(0.5)
        assert not client.ended
        process.provider_is_away = False
        await until(lambda: client.ended, within=15)


class TestLimit:
    async def test_is_ten_streams_over_all_processes(
        self, one: Process, other: Process, ada: User, bob: User
    ) -> None:
        clients = [await (one, other)[n % 2].connect(ada) for n in range(10)]
        for process in (one, other):
            with pytest.raises(RateLimited) as refusal:
                await process.connect(ada)
            assert refusal.value.retry_after
        await one.connect(bob)
        await clients[0].close()
        assert one.metric("event_streams_open") == 5
        async with asyncio.timeout(10):
            while await one.redis.zcard(Key.LEASES % ada.id) == 10:  # noqa: ASYNC110  # Redis has it
                await asyncio.sleep(0.01)
        again = await other.connect(ada)
        assert not again.ended

    async def test_holds_for_twenty_at_once(self, one: Process, ada: User) -> None:
        answers = await asyncio.gather(
            *(one.connect(ada) for _ in range(20)), return_exceptions=True
        )
        assert sum(isinstance(answer, RateLimited) for answer in answers) == 10
        assert one.metric("event_streams_open") == 10

    async def test_heals_after_a_crash(
        self, start_process: StartProcess, other: Process, ada: User
    ) -> None:
        crashed = await start_process(lease_seconds=3.0)
        for _ in range(10):
            await crashed.connect(ada)
        for keeper in crashed.hub._keepers:
            keeper.cancel()  # it renews nothing any more
        with pytest.raises(RateLimited):
            await other.connect(ada)
        await asyncio.sleep(3.1)
        await other.connect(ada)

    async def test_counts_no_stream_that_closed_while_its_lease_was_renewed(
        self, start_process: StartProcess, add_user: Callable[[], User]
    ) -> None:
        made: list[HeldRenewals] = []

        def make(*arguments: Any, **options: Any) -> HeldRenewals:
            made.append(HeldRenewals(*arguments, **options))
            return made[0]

        process = await start_process(leases_type=make)
        users = [add_user() for _ in range(HEARTBEAT_TICKS)]  # so that it is one's turn soon
        clients = {user.id: await process.connect(user) for user in users}
        await until(lambda: bool(made[0].renewed))
        user_id, _ = made[0].renewed[0]
        await clients[user_id].close()
        await asyncio.sleep(0.2)
        made[0].may_go_on.set()
        await made[0].has_renewed.wait()
        async with asyncio.timeout(5):
            while await process.redis.exists(Key.LEASES % user_id):  # noqa: ASYNC110  # from outside
                await asyncio.sleep(0.05)

    async def test_counts_streams_that_stay_for_longer_than_a_lease(
        self, one: Process, other: Process, ada: User
    ) -> None:
        for _ in range(10):
            await one.connect(ada)
        await one.redis.delete(Key.LEASES % ada.id)  # as if the leases had run out
        await one.hub._leases.renew([(ada.id, s.number) for s in one.hub._streams])
        with pytest.raises(RateLimited):
            await other.connect(ada)

    async def test_all_streams_are_counted_over_all_processes(
        self, one: Process, other: Process, ada: User
    ) -> None:
        await one.connect(ada)
        for _ in range(2):
            await other.connect(ada)
        async with asyncio.timeout(30):
            while await one.hub.total_streams() != 3:  # noqa: ASYNC110  # another process has it
                await asyncio.sleep(0.1)


class TestDrain:
    async def test_streams_end_with_a_retry_one_after_the_other(
        self, start_process: StartProcess, add_user: Callable[[], User]
    ) -> None:
        # Over two seconds: over a tenth of one, all may be due at once on a busy machine.
        one = await start_process(ends_a_second=100)
        clients = [await one.connect(add_user()) for _ in range(200)]
        ends: list[float] = []
        for client in clients:
            assert client.task
            client.task.add_done_callback(lambda _: ends.append(time.monotonic()))
        one.hub.drain()
        await until(lambda: len(ends) == 200, within=20)
        assert max(ends) - min(ends) > 0.05
        farewells = {client.parser.frames[-1].retry for client in clients}
        assert None not in farewells
        assert len(farewells) > 100

    async def test_one_stream_ends_at_once(self, one: Process, ada: User) -> None:
        client = await one.connect(ada)
        one.hub.drain()
        await until(lambda: client.ended, within=3)

    async def test_a_reader_that_takes_nothing_does_not_hold_it_up(
        self, one: Process, ada: User
    ) -> None:
        slow = await one.connect(ada, reads=False)
        await anext(slow.stream)
        one.hub.drain()
        await until(lambda: slow.aborted, within=3)

    async def test_no_stream_opens_any_more(self, one: Process, ada: User) -> None:
        one.hub.drain()
        with pytest.raises(Unavailable):
            await one.connect(ada)

    async def test_who_returns_to_another_process_misses_nothing(
        self, one: Process, other: Process, ada: User
    ) -> None:
        client = await one.connect(ada)
        await other.tell(ada, 1)
        await until(lambda: client.numbers == [1])
        one.hub.drain()
        await other.tell(ada, 2)
        await until(lambda: client.ended)
        again = await other.connect(ada, last_event_id=client.last_id)
        await other.tell(ada, 3)
        await until(lambda: (client.numbers + again.numbers) == [1, 2, 3])


async def test_a_stream_beats_every_fifteen_seconds(one: Process, ada: User) -> None:
    for keeper in one.hub._keepers:
        keeper.cancel()  # or on a busy machine its own turn comes too
    client = await one.connect(ada)
    turn = client.stream.number % 30
    one.hub._beat((turn + 1) % 30)
    one.hub._beat(turn)
    await until(lambda: len(client.parser.frames) > 1)
    await asyncio.sleep(0.05)
    assert [frame.comment for frame in client.parser.frames] == [False, True]
