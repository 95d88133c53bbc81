"""Live events against a model: whatever happens, a client gets every event once and in order.

Two processes over one Redis; users with clients that come, are cut off and come back to either
process; a history that holds five events, and is lost now and then.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from myapp.database.base import new_id
from myapp.database.user import User
from myapp.enums import UserRole
from tests.support.hubs import Client, Process, running, until
from tests.support.properties import bounded
from tests.support.valkey import Valkey

KEPT = 5
RESYNC = -1

names = st.sampled_from(["ada", "bob"])
processes = st.integers(0, 1)
steps = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(["ada", "bob", "all"]), processes),
    st.tuples(st.just("burst"), st.sampled_from(["ada", "bob", "all"]), processes),
    st.tuples(st.just("cut"), names, processes),
    st.tuples(st.just("return"), names, processes),
    st.tuples(st.just("lose"), st.just("all"), processes),
)


@dataclass
class Visitor:
    """A client over all its connections, and what the model says of it."""

    user: User
    client: Client | None = None
    last_id: str | None = None
    taken: int = 0  # frames of this connection that were judged
    missed: dict[str, list[int]] = field(default_factory=dict)
    lost: bool = False  # whether history was lost since it last knew where it is

    def new_items(self) -> list[int]:
        """What came since the last look: numbers, and RESYNC."""
        assert self.client
        events = self.client.parser.events
        items = [RESYNC if e.type == "resync" else e.json["data"]["n"] for e in events]
        return items[self.taken :]


class World:
    """The system and the model of it."""

    def __init__(self, processes: Sequence[Process], users: dict[str, User]) -> None:
        self._processes = processes
        self._visitors = {name: Visitor(user) for name, user in users.items()}
        self._numbers = count(1)

    async def take(self, step: tuple[str, str, int]) -> None:
        action, whom, number = step
        process = self._processes[number]
        if action == "lose":
            await self._lose()
        elif action in ("publish", "burst"):
            for _ in range(1 if action == "publish" else KEPT + 1):
                await self._publish(process, whom)
        elif action == "cut":
            await self._cut(self._visitors[whom])
        else:
            await self._return(self._visitors[whom], process)

    async def _lose(self) -> None:
        """Everything is gone, as after a restart of Redis without its file.

        Not twice before everybody knows: what each was told of it could not be told apart.
        """
        if any(visitor.lost and visitor.client for visitor in self._visitors.values()):
            return
        await self._processes[0].redis.flushdb()
        for visitor in self._visitors.values():
            visitor.lost = True

    async def _publish(self, process: Process, whom: str) -> None:
        n = next(self._numbers)
        told = self._visitors.values() if whom == "all" else [self._visitors[whom]]
        event_id = await process.tell(None if whom == "all" else self._visitors[whom].user, n)
        for visitor in told:
            if visitor.client:
                await self._expect(visitor, n, event_id)
            else:
                visitor.missed.setdefault(whom, []).append(n)

    async def _expect(self, visitor: Visitor, n: int, event_id: str) -> None:
        """It comes; a loss of history is told before anything else is, and may cover it."""
        await until(lambda: bool(visitor.new_items()))
        wanted = [n]
        if visitor.lost:
            wanted = [RESYNC] if self._covers(visitor, event_id) else [RESYNC, n]
            await until(lambda: len(visitor.new_items()) >= len(wanted))
            visitor.lost = False
        assert visitor.new_items() == wanted
        visitor.taken += len(wanted)

    def _covers(self, visitor: Visitor, event_id: str) -> bool:
        """Whether what has come, a resync, is of a place after the event: that does not come."""
        assert visitor.client
        find = partial(self._processes[0].hub.feeds.find, visitor.client.stream.feed)
        place, event = find(visitor.client.parser.events[visitor.taken].id or ""), find(event_id)
        assert place
        assert event
        return event.at <= place.at

    async def _cut(self, visitor: Visitor) -> None:
        """Where another has found out about the loss meanwhile, it was told of it already."""
        if visitor.client:
            await visitor.client.close()
            items = visitor.new_items()
            assert items in ([], [RESYNC]) if visitor.lost else items == []
            visitor.lost = visitor.lost and not items
            visitor.last_id = visitor.client.last_id
            visitor.client = None

    async def _return(self, visitor: Visitor, process: Process) -> None:
        await self._cut(visitor)
        visitor.client = await process.connect(visitor.user, last_event_id=visitor.last_id)
        visitor.taken = 0
        out_of_reach = visitor.lost or any(len(each) > KEPT for each in visitor.missed.values())
        wanted = sorted(n for missed in visitor.missed.values() for n in missed)
        if visitor.last_id is None:
            wanted = []
        elif out_of_reach:
            wanted = [RESYNC]
        await until(lambda: len(visitor.new_items()) >= len(wanted))
        assert visitor.new_items() == wanted
        visitor.taken, visitor.missed, visitor.lost = len(wanted), {}, False

    async def finish(self) -> None:
        """Everybody comes back, and nothing is left out or told again."""
        for visitor in self._visitors.values():
            if visitor.client or visitor.last_id:
                await self._return(visitor, self._processes[0])
        for whom in ("all", *self._visitors):
            await self._publish(self._processes[1], whom)
        await asyncio.sleep(0.01)
        for visitor in self._visitors.values():
            assert visitor.client is None or visitor.new_items() == []


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    users: dict[str, User] = {
        "ada": User(id=new_id(), role=UserRole.USER),
        "bob": User(id=new_id(), role=UserRole.USER),
    }
    known: dict[UUID, User] = {user.id: user for user in users.values()}
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(running(Process(url, known, kept_events=KEPT)))
            for _ in range(2)
        ]
        await started[0].redis.flushdb()
        yield World(started, users)


@bounded(40)
@given(st.lists(steps, min_size=3, max_size=16))
async def test_every_event_comes_once_and_in_order_or_a_resync_does(
    shared_valkey: Valkey, plan: list[tuple[str, str, int]]
) -> None:
    async with world(shared_valkey.url) as model:
        for step in plan:
            await model.take(step)
        await model.finish()
