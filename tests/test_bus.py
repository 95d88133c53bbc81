"""Against a real server that the tests stop, freeze and start again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from myapp.bus import PUBLISH_SECONDS, MessageBus, backoff
from myapp.errors import Unavailable
from tests.support.valkey import Valkey

PATIENCE = 15.0  # in seconds, for a machine that is busy


@pytest.fixture
def server(own_valkey: Valkey) -> Valkey:
    return own_valkey


@asynccontextmanager
async def open_bus(
    server: Valkey, *, publish_seconds: float = PATIENCE, **options: float
) -> AsyncIterator[MessageBus]:
    async with (
        Redis(unix_socket_path=server.socket) as redis,
        MessageBus(redis, publish_seconds=publish_seconds, **options) as bus,
    ):
        yield bus


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # it looks from outside, as a user would
            await asyncio.sleep(0.005)


async def until_nobody_hears(redis: Redis, channel: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while await redis.publish(channel, b""):  # noqa: ASYNC110  # Redis sets no event
            await asyncio.sleep(0.005)


class TestPublishing:
    async def test_a_message_reaches_every_process_that_subscribed(self, server: Valkey) -> None:
        async with open_bus(server) as one, open_bus(server) as other:
            heard: list[tuple[str, bytes]] = []
            await one.subscribe("news", lambda message: heard.append(("one", message)))
            await other.subscribe("news", lambda message: heard.append(("other", message)))
            await one.publish("news", b"\xff binary")
            await until(lambda: len(heard) == 2)
            assert sorted(heard) == [("one", b"\xff binary"), ("other", b"\xff binary")]

    async def test_a_message_stays_on_its_channel(self, server: Valkey) -> None:
        async with open_bus(server) as bus:
            heard: list[bytes] = []
            await bus.subscribe("a", heard.append)
            await bus.publish("b", b"wrong")
            await bus.publish("a", b"right")
            await until(lambda: bool(heard))
            assert heard == [b"right"]

    async def test_without_redis_it_is_unavailable_within_a_second(self, server: Valkey) -> None:
        async with open_bus(server, publish_seconds=PUBLISH_SECONDS) as bus:
            server.kill()
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await bus.publish("news", b"")
            assert time.monotonic() - began < 3

    async def test_with_redis_frozen_it_is_unavailable_within_a_second(
        self, server: Valkey
    ) -> None:
        async with open_bus(server, publish_seconds=PUBLISH_SECONDS) as bus:
            server.freeze()
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await bus.publish("news", b"")
            assert time.monotonic() - began < 3


class TestSubscribing:
    async def test_a_returned_subscription_misses_nothing(self, server: Valkey) -> None:
        async with open_bus(server) as bus, Redis(unix_socket_path=server.socket) as redis:
            for number in range(50):
                await bus.subscribe(f"channel {number}", lambda _: None)
                assert await redis.publish(f"channel {number}", b"") == 1

    async def test_many_at_once_are_all_in_force(self, server: Valkey) -> None:
        async with open_bus(server) as bus, Redis(unix_socket_path=server.socket) as redis:
            await asyncio.gather(*(bus.subscribe(f"c{n}", lambda _: None) for n in range(2000)))
            assert await redis.pubsub_numsub("c0", "c1999") == [(b"c0", 1), (b"c1999", 1)]

    async def test_one_that_failed_leaves_the_others_their_messages(self, server: Valkey) -> None:
        def fail(_: bytes) -> None:
            raise ZeroDivisionError

        async with open_bus(server) as bus:
            heard: list[bytes] = []
            await bus.subscribe("news", fail)
            await bus.subscribe("news", heard.append)
            with capture_logs() as logs:
                await bus.publish("news", b"1")
                await bus.publish("news", b"2")
                await until(lambda: len(heard) == 2)
            assert [entry["event"] for entry in logs] == ["callback failed"] * 2
            assert bus.connected

    async def test_after_unsubscribing_nothing_is_heard_and_redis_sends_nothing(
        self, server: Valkey
    ) -> None:
        async with open_bus(server) as bus, Redis(unix_socket_path=server.socket) as redis:
            heard: list[bytes] = []
            unsubscribe = await bus.subscribe("news", heard.append)
            unsubscribe()
            unsubscribe()
            await bus.publish("news", b"late")
            await asyncio.sleep(0.1)
            await until_nobody_hears(redis, "news")
            assert heard == []

    async def test_the_same_callback_given_twice_is_two_subscriptions(self, server: Valkey) -> None:
        async with open_bus(server) as bus:
            heard: list[bytes] = []
            first = await bus.subscribe("news", heard.append)
            await bus.subscribe("news", heard.append)
            first()
            first()
            await bus.publish("news", b"1")
            await until(lambda: bool(heard))
            assert heard == [b"1"]

    async def test_changing_ones_mind_quickly_ends_with_the_last_wish(self, server: Valkey) -> None:
        async with open_bus(server) as bus, Redis(unix_socket_path=server.socket) as redis:
            unsubscribe = await bus.subscribe("news", lambda _: None)
            for _ in range(50):
                unsubscribe()
                await asyncio.sleep(0)  # so that the command may be on its way
                unsubscribe = await bus.subscribe("news", lambda _: None)
                assert await redis.publish("news", b"") == 1
            unsubscribe()
            await until_nobody_hears(redis, "news")

    async def test_one_that_was_cancelled_while_waiting_leaves_nothing_behind(
        self, server: Valkey
    ) -> None:
        async with open_bus(server) as bus, Redis(unix_socket_path=server.socket) as redis:
            task = asyncio.create_task(bus.subscribe("news", lambda _: None))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            await asyncio.sleep(0.1)
            await until_nobody_hears(redis, "news")
            await bus.subscribe("news", lambda _: None)
            assert await redis.publish("news", b"") == 1


class TestLosingRedis:
    async def test_it_opens_at_once_without_redis_and_connects_later(self, server: Valkey) -> None:
        server.kill()
        began = time.monotonic()
        async with open_bus(server) as bus:
            assert time.monotonic() - began < 3
            assert not bus.connected
            heard: list[bytes] = []
            await bus.subscribe("news", heard.append)
            server.start()
            await until(lambda: bus.connected)
            await bus.publish("news", b"1")
            await until(lambda: bool(heard))

    async def test_it_opens_within_a_moment_on_a_frozen_redis(self, server: Valkey) -> None:
        server.freeze()
        began = time.monotonic()
        async with open_bus(server, connect_seconds=30) as bus:
            assert time.monotonic() - began < 15  # a connection is given 30
            assert not bus.connected

    async def test_after_a_restart_every_subscription_is_in_force_when_the_gap_is_told(
        self, server: Valkey
    ) -> None:
        async with open_bus(server) as bus, Redis(unix_socket_path=server.socket) as redis:
            gaps: list[bool] = []
            channels = [f"channel {number}" for number in range(1200)]
            for channel in channels:
                await bus.subscribe(channel, lambda _: None)
            bus.on_reconnect(lambda: gaps.append(bus.connected))
            with capture_logs() as logs:
                server.kill()
                await until(lambda: not bus.connected)
                server.start()
                await until(lambda: bool(gaps))
            assert gaps == [True]
            counts = await redis.pubsub_numsub(*channels)
            assert [count for _, count in counts] == [1] * len(channels)
            assert [entry["event"] for entry in logs] == [
                "message bus lost",
                "message bus is back",
            ]

    async def test_who_does_not_want_to_be_told_any_more_is_not(self, server: Valkey) -> None:
        async with open_bus(server) as bus, Redis(unix_socket_path=server.socket) as redis:
            told, gaps = list[str](), list[str]()
            forget = bus.on_reconnect(lambda: told.append("gap"))
            bus.on_reconnect(lambda: gaps.append("gap"))
            forget()
            await bus.subscribe("news", lambda _: None)
            await redis.client_kill_filter(_type="pubsub", skipme=False)
            await until(lambda: bool(gaps))
            assert told == []

    async def test_a_loss_has_a_cause_also_where_the_error_says_nothing(
        self, server: Valkey
    ) -> None:
        server.freeze()
        with capture_logs() as logs:
            async with open_bus(server):
                await until(lambda: bool(logs))
        assert logs[0]["error"] == "TimeoutError"

    async def test_a_long_outage_is_one_line_and_few_tries(self, server: Valkey) -> None:
        with capture_logs() as logs:
            async with open_bus(server) as bus:
                server.kill()
                used = time.process_time()
                await asyncio.sleep(1.5)
                assert time.process_time() - used < 0.3
                assert not bus.connected
        assert [entry["event"] for entry in logs] == ["message bus lost"]

    async def test_a_connection_that_is_silent_is_found_dead_within_seconds(
        self, server: Valkey
    ) -> None:
        async with open_bus(server) as bus:
            server.freeze()
            await until(lambda: not bus.connected)
            server.thaw()
            await until(lambda: bus.connected)

    async def test_who_waits_for_a_confirmation_is_let_go_when_the_connection_dies(
        self, server: Valkey
    ) -> None:
        async with open_bus(server) as bus:
            server.freeze()
            async with asyncio.timeout(PATIENCE):
                await bus.subscribe("news", lambda _: None)
            assert not bus.connected

    async def test_and_when_the_bus_is_closed(self, server: Valkey) -> None:
        async with open_bus(server) as bus:
            server.freeze()
            task = asyncio.create_task(bus.subscribe("news", lambda _: None))
            await asyncio.sleep(0.01)
            assert not task.done()
        async with asyncio.timeout(PATIENCE):
            await task
        assert not bus.connected

    async def test_an_idle_connection_stays(self, server: Valkey) -> None:
        with capture_logs() as logs:
            async with open_bus(server) as bus:
                await asyncio.sleep(2.5)
                assert bus.connected
        assert logs == []

    async def test_a_stall_of_our_own_loop_is_no_loss(self, server: Valkey) -> None:
        async with open_bus(server) as bus:
            time.sleep(4)  # noqa: ASYNC251  # the stall
            await asyncio.sleep(0.2)
            assert bus.connected


def test_a_channel_whose_answer_is_due_is_not_asked_for_again() -> None:
    bus = MessageBus(Redis())
    bus._subscribers["news"] = []
    bus._change("news")
    assert bus._commands() == [("SUBSCRIBE", "news")]
    bus._change("news")
    assert bus._commands() == []
    bus._confirm("news", in_force=False)
    assert bus._commands() == [("SUBSCRIBE", "news")]


def test_backoff_grows_to_a_limit() -> None:
    assert backoff(0) < backoff(3) <= 0.8
    assert 1.5 <= backoff(50) <= 3
