"""One reader's stream, over a history that fails at a chosen moment."""

import asyncio
import json
import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from myapp.database.user import User
from myapp.errors import Unavailable
from myapp.events import Event
from myapp.sse.history import Entry, History, Page
from myapp.sse.metrics import StreamMetrics
from myapp.sse.position import Position
from myapp.sse.stream import Reader, Source, Stream
from myapp.sse.turns import Turns
from tests.support.hubs import HOUR, SIGN_IN, Client, Process, until


class FailingHistory(History):
    """One reading fails: it begins, and is then out of reach."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.redis, process.bus, on_loss=lambda: None)
        self.fails = False
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()

    async def read(self, keys: Sequence[str], *, after: Position | None) -> Page:
        if self.fails:
            self.fails = False
            self.begun.set()
            await self.let_go.wait()
            raise Unavailable("Live events are out of reach for the moment")
        return await super().read(keys, after=after)


async def test_what_comes_while_a_catching_up_fails_is_sent_in_its_order(
    one: Process, ada: User
) -> None:
    history, feeds = FailingHistory(one), one.hub.feeds
    feed = feeds.of_user(ada.id)
    stream = Stream(
        Reader(ada.id, SIGN_IN, time.time() + HOUR, is_admin=False, abort=lambda: None),
        feed,
        number=1,
        source=Source(history, feeds, StreamMetrics(CollectorRegistry()), Turns()),
        close=lambda _: None,
    )

    async def happen(n: int) -> Entry:
        event = Event("test.number", json.dumps({"n": n}).encode(), ada.id)
        return Entry(await history.append(event), event)

    await stream.begin(None)
    client = Client(stream)
    client.start()
    await until(lambda: bool(client.parser.frames))
    await happen(1)
    await happen(2)
    history.fails = True
    stream.fall_behind()
    await history.begun.wait()
    live = await happen(3)
    stream.push((live.position, feed.encode(live)))
    history.let_go.set()
    await until(lambda: client.numbers[-1:] == [3], within=20)
    assert client.numbers == [1, 2, 3]
    await client.close()
