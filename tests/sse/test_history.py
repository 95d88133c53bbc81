"""What Redis keeps of events, and in which order."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from myapp.bus import MessageBus
from myapp.database.base import new_id
from myapp.errors import Unavailable
from myapp.events import Event
from myapp.sse.history import KEPT_EVENTS, PAGE_EVENTS, Entry, History
from myapp.sse.keys import Key
from myapp.sse.position import Position
from tests.support.hubs import Process

DAY_MS = 24 * 3600 * 1000
ADA = new_id()
KEYS = (Key.USER % ADA, Key.ALL)
HERE = Event("test.own", b"{}", ADA)
ALL = Event("test.all", b"{}")


@dataclass
class Log:
    """A history, and how often it found that something was lost."""

    history: History
    redis: Redis
    bus: MessageBus
    losses: int = 0

    async def append(self, *events: Event) -> list[Position]:
        return [await self.history.append(event) for event in events]

    async def after(self, position: Position, keys: Sequence[str] = KEYS) -> list[Entry]:
        """Everything after a position, by as many pages as it takes."""
        entries: list[Entry] = []
        while True:
            page = await self.history.read(keys, after=position)
            assert page.reaches
            entries += page.entries
            if page.complete:
                return entries
            position = page.position

    async def reaches(self, position: Position) -> bool:
        return (await self.history.read(KEYS, after=position)).reaches


def make_log(redis: Redis, bus: MessageBus) -> Log:
    def lose() -> None:
        made.losses += 1

    made = Log(History(redis, bus, on_loss=lose), redis, bus)
    return made


@pytest.fixture
def log(one: Process) -> Log:
    return make_log(one.redis, one.bus)


@pytest.fixture
def other_log(other: Process) -> Log:
    return make_log(other.redis, other.bus)


async def now(log: Log) -> Position:
    return (await log.history.read(KEYS, after=None)).position


class TestOrder:
    async def test_events_of_one_millisecond_in_two_streams_have_an_order(self, log: Log) -> None:
        begin = await now(log)
        pipeline = [asyncio.create_task(log.history.append(e)) for e in [HERE, ALL] * 100]
        positions = await asyncio.gather(*pipeline)
        assert len(set(positions)) == 200
        assert len({position.at[0] for position in positions}) < 200
        entries = await log.after(begin)
        assert [entry.position for entry in entries] == sorted(positions)

    async def test_to_resume_at_any_event_gives_exactly_the_rest(self, log: Log) -> None:
        begin = await now(log)
        await asyncio.gather(*(log.history.append(event) for event in [HERE, ALL, HERE] * 30))
        entries = await log.after(begin)
        assert len(entries) == 90
        for index, entry in enumerate(entries):
            assert await log.after(entry.position) == entries[index + 1 :]

    async def test_a_page_that_is_cut_short_in_one_stream_holds_the_other_back(
        self, log: Log
    ) -> None:
        begin = await now(log)
        await log.append(*[HERE] * (PAGE_EVENTS + 5), *[ALL] * 3, *[HERE] * 3)
        page = await log.history.read(KEYS, after=begin)
        assert len(page.entries) == PAGE_EVENTS
        assert not page.complete
        kinds = [entry.event.type for entry in await log.after(begin)]
        assert kinds == ["test.own"] * (PAGE_EVENTS + 5) + ["test.all"] * 3 + ["test.own"] * 3

    async def test_a_clock_that_goes_back_does_not_break_it(self, log: Log) -> None:
        begin = await now(log)
        await log.append(HERE)
        ahead = int(time.time() * 1000) + 60_000
        await log.redis.hset(Key.ORDER, mapping={"ms": ahead, "n": 0})  # type: ignore[misc]  # sync or async
        positions = await log.append(ALL, HERE)
        assert [position.at for position in positions] == [(ahead, 1), (ahead, 2)]
        assert len(await log.after(begin)) == 3

    async def test_a_reader_sees_only_what_was_asked_for(self, log: Log) -> None:
        begin = await now(log)
        await log.append(HERE, Event("test.other", b"{}", new_id()), ALL)
        assert [entry.event for entry in await log.after(begin)] == [HERE, ALL]

    async def test_what_is_published_comes_out_as_it_went_in(self, log: Log) -> None:
        begin = await now(log)
        event = Event("a:b.c_d-1", '{"ä":"\u2028\\n \\u0000"}'.encode(), ADA)
        await log.append(event)
        assert [entry.event for entry in await log.after(begin)] == [event]


class TestOutbox:
    async def test_an_event_that_comes_again_has_its_old_place(
        self, log: Log, other_log: Log
    ) -> None:
        begin = await now(log)
        first = await log.history.append(HERE, outbox_id="1")
        again = await other_log.history.append(HERE, outbox_id="1")
        assert again == first
        assert len(await log.after(begin)) == 1

    async def test_twenty_relays_at_once_append_it_once(self, log: Log) -> None:
        begin = await now(log)
        positions = await asyncio.gather(
            *(log.history.append(HERE, outbox_id="1") for _ in range(20))
        )
        assert len(set(positions)) == len(await log.after(begin)) == 1

    async def test_it_is_remembered_for_a_day_at_least(self, log: Log) -> None:
        await log.history.append(HERE, outbox_id="1")
        remaining = await log.redis.pttl(Key.ONCE % "outbox:1")
        assert remaining > DAY_MS

    async def test_what_was_never_in_an_outbox_is_not_remembered_for_long(self, log: Log) -> None:
        await log.append(HERE)
        (key,) = await log.redis.keys(Key.ONCE % "*")
        assert 0 < await log.redis.pttl(key) <= 60_000


class TestReach:
    async def test_a_thousand_events_are_kept(self, log: Log) -> None:
        begin = await now(log)
        await log.append(*[HERE] * KEPT_EVENTS)
        assert len(await log.after(begin)) == KEPT_EVENTS

    async def test_one_more_is_out_of_reach_and_what_came_after_it_is_not(self, log: Log) -> None:
        begin = await now(log)
        (first,) = await log.append(HERE)
        await log.append(*[HERE] * KEPT_EVENTS)
        assert not await log.reaches(begin)
        assert len(await log.after(first)) == KEPT_EVENTS
        await log.append(HERE)
        assert not await log.reaches(first)

    async def test_broadcasts_do_not_push_out_a_users_own(self, log: Log) -> None:
        begin = await now(log)
        await log.append(HERE)
        await log.append(*[ALL] * KEPT_EVENTS)
        assert len(await log.after(begin)) == KEPT_EVENTS + 1

    async def test_broadcasts_that_are_out_of_reach_are_not_left_out(self, log: Log) -> None:
        begin = await now(log)
        await log.append(HERE)
        await log.append(*[ALL] * (KEPT_EVENTS + 1))
        assert not await log.reaches(begin)

    async def test_a_position_older_than_a_day_is_out_of_reach(self, log: Log) -> None:
        epoch, (ms, n), _ = await now(log)
        assert await log.reaches(Position(epoch, (ms - DAY_MS + 60_000, n)))
        assert not await log.reaches(Position(epoch, (ms - DAY_MS - 60_000, n)))

    async def test_after_a_quiet_day_the_present_is_within_reach(self, log: Log) -> None:
        long_ago = (await now(log)).at[0] - 2 * DAY_MS
        await log.redis.hset(Key.ORDER, mapping={"ms": long_ago})  # type: ignore[misc]  # sync or async
        log = make_log(log.redis, log.bus)
        begin = await now(log)
        assert begin.at[0] == long_ago
        await log.append(ALL)
        assert len(await log.after(begin)) == 1
        assert not await log.reaches(begin._replace(quiet_for=0))

    async def test_an_event_older_than_a_day_is_removed_with_the_next(self, log: Log) -> None:
        old = f"{int(time.time() * 1000) - DAY_MS - 60_000}-0"
        await log.redis.xadd(KEYS[0], {"user": "-", "type": "old", "data": "{}"}, id=old)
        await log.append(HERE)
        assert await log.redis.xlen(KEYS[0]) == 1

    async def test_a_stream_without_new_events_is_removed_in_time(self, log: Log) -> None:
        await log.append(HERE)
        assert DAY_MS < await log.redis.pttl(KEYS[0]) <= 2 * DAY_MS


class TestLoss:
    async def test_a_position_from_before_a_flush_is_out_of_reach(self, log: Log) -> None:
        (position,) = await log.append(HERE)
        await log.redis.flushall()
        await log.append(HERE)
        assert not await log.reaches(position)
        assert log.losses == 1

    async def test_lost_newest_data_is_noticed_by_who_published_it(self, log: Log) -> None:
        (kept,) = await log.append(HERE)
        saved = await log.redis.hgetall(Key.ORDER)  # type: ignore[misc]  # sync or async
        await log.append(HERE)
        await log.redis.hset(Key.ORDER, mapping=saved)  # type: ignore[misc]  # sync or async
        assert await log.reaches(kept)
        await log.append(HERE)
        assert not await log.reaches(kept)

    async def test_lost_newest_data_is_noticed_by_who_returns_with_its_id(
        self, log: Log, other_log: Log
    ) -> None:
        (kept,) = await log.append(HERE)
        saved = await log.redis.hgetall(Key.ORDER)  # type: ignore[misc]  # sync or async
        (lost,) = await log.append(HERE)
        await log.redis.hset(Key.ORDER, mapping=saved)  # type: ignore[misc]  # sync or async
        assert not await other_log.reaches(lost)
        assert not await other_log.reaches(kept)

    async def test_it_is_noticed_also_when_others_have_published_since(
        self, log: Log, other_log: Log
    ) -> None:
        (kept,) = await log.append(HERE)
        saved = await log.redis.hgetall(Key.ORDER)  # type: ignore[misc]  # sync or async
        await log.append(HERE)
        await log.redis.hset(Key.ORDER, mapping=saved)  # type: ignore[misc]  # sync or async
        for key in (KEYS[0], Key.EVERYTHING):
            ((newest, _),) = await log.redis.xrevrange(key, count=1)
            await log.redis.xdel(key, newest)
        await other_log.append(HERE)
        assert await other_log.reaches(kept)
        await log.history.compare()
        assert not await other_log.reaches(kept)
        assert log.losses == other_log.losses == 1

    async def test_where_the_new_epoch_begins_nothing_is_missing(
        self, log: Log, other_log: Log
    ) -> None:
        await log.append(HERE)
        saved = await log.redis.hgetall(Key.ORDER)  # type: ignore[misc]  # sync or async
        await log.append(HERE)
        await log.redis.hset(Key.ORDER, mapping=saved)  # type: ignore[misc]  # sync or async
        begin = await now(log)
        await other_log.history.compare()
        for _ in range(3):
            await log.append(ALL)
            assert await log.reaches(begin)
        await other_log.append(HERE)
        assert len(await log.after(begin)) == 4
        assert log.losses == 1

    async def test_without_the_bus_it_is_unavailable_at_once(self, one: Process) -> None:
        log = make_log(one.redis, MessageBus(one.redis))  # a bus that was never opened
        with pytest.raises(Unavailable):
            await now(log)
