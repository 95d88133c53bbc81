"""The outbox and idempotent requests against a model, with a crash at every step.

A step is a place where the program waits: for the database, for Redis, for a lock.
"""

import contextlib
import json
from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from myapp.database.idempotency import IdempotentRequest
from myapp.database.notification import Notification
from myapp.database.outbox import OutboxRow
from myapp.database.user import User
from myapp.errors import Conflict
from myapp.events import Event
from myapp.modules.notification import NotificationModule
from myapp.modules.notification.dtos import AcceptedNotification, NewNotification
from myapp.modules.notification.idempotency import IdempotencyKey
from myapp.outbox.lease import RelayLease
from myapp.outbox.metrics import OutboxMetrics
from myapp.outbox.relay import Relay
from myapp.queue.tasks import JobContext, Payload, Task, build_registry
from myapp.registry import Features
from myapp.resources import Resources
from myapp.sse.keys import Key
from tests.support.crashes import Crash, crash_everywhere, cut_off
from tests.support.databases import empty_tables
from tests.support.properties import bounded

OWNERS = (UUID(int=1), UUID(int=2), None)
KINDS = st.sampled_from(["event", "job"])
rows = st.lists(st.tuples(st.sampled_from(OWNERS), KINDS), min_size=1, max_size=4)
writes = st.lists(st.tuples(rows, st.integers(0, 12)), min_size=1, max_size=4)
crashes = st.lists(st.integers(1, 30), max_size=5)


class Numbered(Payload):
    n: int


COUNT = Task("number:count", Numbered)


async def count_it(_job: JobContext, _payload: Numbered) -> None: ...


def relay_of(resources: Resources) -> Relay:
    return Relay(
        resources.outbox,
        jobs=resources.jobs,
        hub=resources.hub,
        tasks=build_registry([(COUNT, count_it)]),
        lease=RelayLease(resources.redis, seconds=0.05),  # a dead relay's is soon over
        metrics=OutboxMetrics(CollectorRegistry()),
    )


class Ledger:
    """What was written, and what of it was committed: a user stands for each change."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._next = 0
        self.written: dict[str, list[tuple[UUID | None, str, int]]] = {}

    async def write(self, rows: Sequence[tuple[UUID | None, str]]) -> None:
        name = f"change {len(self.written)}"
        numbered = [(owner, kind, self._number()) for owner, kind in rows]
        self.written[name] = numbered
        async with self._resources.outbox.transaction() as handover:
            await User.create(name=name)
            for owner, kind, n in numbered:
                if kind == "event":
                    handover.tell(Event("test.number", json.dumps({"n": n}).encode(), owner))
                else:
                    handover.queue(COUNT, Numbered(n=n), user_id=owner)

    def _number(self) -> int:
        self._next += 1
        return self._next

    async def committed(self) -> list[tuple[UUID | None, str, int]]:
        names = {user.name for user in await User.all()}
        return [row for name, made in self.written.items() if name in names for row in made]


async def told(redis: Redis) -> list[tuple[str, int]]:
    """Every event in the order of its telling: whose it is, and its number."""
    entries = await redis.xrange(Key.EVERYTHING)
    return [(fields[b"user"].decode(), json.loads(fields[b"data"])["n"]) for _, fields in entries]


async def queued(resources: Resources) -> list[int]:
    found = await resources.redis.keys("myapp:job:*")
    payloads = [(await resources.redis.hgetall(key))[b"payload"] for key in found]  # type: ignore[misc]  # redis-py's types
    return sorted(json.loads(payload)["n"] for payload in payloads)


class TestOutbox:
    @bounded(60)
    @given(writes, crashes)
    async def test_what_is_committed_is_handed_on_once_and_in_order_and_nothing_else_is(
        self,
        resources: Resources,
        plan: list[tuple[list[tuple[UUID | None, str]], int]],
        relay_crashes: list[int],
    ) -> None:
        await resources.redis.flushdb()
        await empty_tables()
        ledger = Ledger(resources)
        for made, at in plan:
            with contextlib.suppress(Crash):
                await cut_off(ledger.write(made), at)
        for at in relay_crashes:
            with contextlib.suppress(Crash):
                await cut_off(relay_of(resources).hand_on_all(), at)
        await relay_of(resources).hand_on_all()

        committed = await ledger.committed()
        events = [(str(owner or "-"), n) for owner, kind, n in committed if kind == "event"]
        heard = await told(resources.redis)
        assert sorted(heard) == sorted(events)
        for owner in OWNERS[:2]:
            mine = str(owner)
            assert [each for each in heard if each[0] == mine] == [
                each for each in events if each[0] == mine
            ]
        assert await queued(resources) == sorted(n for _, kind, n in committed if kind == "job")
        assert not await OutboxRow.exists()

    async def test_a_crash_at_each_step_of_handing_on_loses_and_repeats_nothing(
        self, resources: Resources
    ) -> None:
        ledger = Ledger(resources)

        async def hand_on() -> None:
            await ledger.write([(OWNERS[0], "event"), (OWNERS[0], "job"), (None, "event")])
            await relay_of(resources).hand_on_all()

        async def go_on(_: int) -> None:
            await relay_of(resources).hand_on_all()

        assert await crash_everywhere(hand_on, after=go_on) > 10
        committed = await ledger.committed()
        assert sorted(n for _, n in await told(resources.redis)) == sorted(
            n for _, kind, n in committed if kind == "event"
        )
        assert await queued(resources) == sorted(n for _, kind, n in committed if kind == "job")


class TestIdempotency:
    async def test_a_crash_at_each_step_leaves_one_effect_and_one_answer(
        self, resources: Resources, features: Features
    ) -> None:
        send = features.get(NotificationModule).send
        ada = await User.create()
        answers: list[AcceptedNotification] = []

        async def request(number: int) -> AcceptedNotification:
            new = NewNotification(user_id=ada.id, title=f"Number {number}", body="b")
            return await send.send(new, key=IdempotencyKey("me", "POST /x", str(number)))

        number = 0

        async def first_try() -> None:
            nonlocal number
            number += 1
            await request(number)

        async def try_again(_: int) -> None:
            """As a client does; half a minute later where the dead attempt is still held."""
            try:
                answer = await request(number)
            except Conflict:
                held = IdempotentRequest.filter(answer=None)
                await held.update(held_until="2000-01-01T00:00:00Z")
                answer = await request(number)
            assert answer == await request(number)
            answers.append(answer)

        count = await crash_everywhere(first_try, after=try_again)
        assert count == len(answers) > 5
        made = {(each.title, each.id) for each in await Notification.all()}
        assert len(made) == count + 1
        wanted = {
            (f"Number {at}", ids[0]) for at, ids in enumerate((a.ids or [] for a in answers), 1)
        }
        assert wanted <= made
