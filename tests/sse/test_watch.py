"""Watching every event from within a process."""

from collections.abc import Sequence

import pytest

from myapp.database.user import User
from myapp.errors import Unavailable
from myapp.events import RESYNC
from myapp.sse.history import KEPT_EVENTS, PAGE_EVENTS
from myapp.sse.watch import Told, Watch
from tests.support.hubs import Process, until
from tests.support.valkey import Valkey


class News:
    """How often there was some."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def watch(process: Process, on_news: News | None = None) -> Watch:
    return process.hub.watch(on_news or News())


async def read(watching: Watch) -> list[Told]:
    """All pages that there are."""
    told: list[Told] = []
    while page := await watching.read():
        told += page
    return told


def numbers(told: Sequence[Told]) -> list[int | str]:
    """The numbers of the events, or their types where they have none."""
    return [
        int(one.event.data.split(b":")[1].strip(b" }"))
        if b"n" in one.event.data
        else one.event.type
        for one in told
    ]


async def tell(process: Process, *given: int) -> None:
    for n in given:
        await process.tell(None, n)


class TestReading:
    async def test_history_comes_first_and_then_what_happens_each_once(
        self, one: Process, other: Process, ada: User
    ) -> None:
        told_id = await one.tell(ada, 1)
        await one.tell(None, 2)
        watching = watch(other)
        first, second = await read(watching)
        assert (first.event.user_id, second.event.user_id) == (ada.id, None)
        assert first.id == told_id
        assert numbers([first, second]) == [1, 2]
        assert await read(watching) == []
        await tell(one, *range(3, 6))
        assert numbers(await read(watching)) == [3, 4, 5]

    async def test_it_begins_with_the_newest_that_are_promised(self, one: Process) -> None:
        await tell(one, *range(KEPT_EVENTS + 10))
        await tell(one, 9999)
        told = await read(watch(one))
        assert len(told) == KEPT_EVENTS
        assert numbers(told)[-1] == 9999
        assert len({event.key for event in told}) == KEPT_EVENTS
        assert [event.at for event in told] == sorted(event.at for event in told)

    @pytest.mark.parametrize("many", [PAGE_EVENTS - 1, PAGE_EVENTS, PAGE_EVENTS + 1])
    async def test_a_page_may_be_full(self, one: Process, many: int) -> None:
        await tell(one, *range(many))
        assert sorted(map(int, numbers(await read(watch(one))))) == list(range(many))

    async def test_it_knows_whether_more_is_there_than_it_has_read(self, one: Process) -> None:
        watching = watch(one)
        assert watching.is_behind
        await tell(one, 0)
        assert [numbers(await watching.read()), watching.is_behind] == [[0], False]
        await tell(one, *range(PAGE_EVENTS + 1))
        assert [len(await watching.read()), watching.is_behind] == [PAGE_EVENTS, True]
        assert [len(await watching.read()), watching.is_behind] == [1, False]
        await tell(one, *range(KEPT_EVENTS + 1))
        assert [numbers(await watching.read()), watching.is_behind] == [[RESYNC], True]
        assert [len(await watching.read()), watching.is_behind] == [KEPT_EVENTS, False]

    async def test_what_history_has_lost_is_said_and_the_rest_is_shown(self, one: Process) -> None:
        watching = watch(one)
        await tell(one, 0)
        assert numbers(await read(watching)) == [0]
        await tell(one, *range(KEPT_EVENTS + 1))
        told = await read(watching)
        assert told[0].event.type == RESYNC
        assert len(told) == 1 + KEPT_EVENTS
        await tell(one, 1)
        assert numbers(await read(watching)) == [1]

    async def test_a_history_that_is_gone_is_said_once(self, one: Process) -> None:
        watching = watch(one)
        await tell(one, 1)
        await read(watching)
        await one.redis.flushall()
        assert numbers(await read(watching)) == [RESYNC]
        await tell(one, 2)
        assert numbers(await read(watching)) == [2]


class TestOutage:
    async def test_nothing_is_lost_by_it_that_redis_still_has(
        self, one: Process, own_valkey: Valkey
    ) -> None:
        watching = watch(one)
        await tell(one, 1)
        await read(watching)
        own_valkey.freeze()
        try:
            with pytest.raises(Unavailable):
                await watching.read()
        finally:
            own_valkey.thaw()
        await tell(one, 2, 3)
        assert numbers(await read(watching)) == [2, 3]

    async def test_a_server_that_comes_back_empty_is_a_resync(
        self, one: Process, own_valkey: Valkey
    ) -> None:
        watching = watch(one)
        await tell(one, 1)
        await read(watching)
        own_valkey.kill()
        await until(lambda: not one.bus.connected)
        with pytest.raises(Unavailable):
            await watching.read()
        own_valkey.start()
        await until(lambda: one.bus.connected)
        await tell(one, 2)
        assert numbers(await read(watching)) == [RESYNC, 2]


class TestNews:
    async def test_are_told_while_it_listens(self, one: Process, other: Process) -> None:
        news = News()
        watching = watch(one, news)
        await tell(other, 1)
        assert news.count == 0
        await watching.listen()
        await watching.listen()
        await tell(other, 2)
        await until(lambda: news.count == 1)
        watching.rest()
        watching.rest()
        await tell(other, 3)
        assert numbers(await read(watching)) == [1, 2, 3]
        assert news.count == 1
