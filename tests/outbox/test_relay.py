"""What is committed is handed on, once each and in order; what is rolled back never is."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry
from structlog.contextvars import bound_contextvars

from myapp.backoff import Backoff
from myapp.database.outbox import OutboxKind, OutboxRow, OutboxState
from myapp.errors import NotFound, Unavailable
from myapp.events import Event
from myapp.outbox.cleanup import remove_set_aside
from myapp.outbox.lease import RelayLease
from myapp.outbox.metrics import OutboxMetrics
from myapp.outbox.relay import REFUSALS, Publisher, Relay
from myapp.outbox.writing import Outbox
from myapp.queue.tasks import JobContext, Payload, Registry, Task, build_registry
from myapp.resources import Resources
from tests.support.valkey import Valkey


class Greet(Payload):
    name: str


GREET = Task("person:greet", Greet)


async def greet(_job: JobContext, _payload: Greet) -> None: ...


class Heard:
    """A hub that remembers what it was told, and can be out of reach for a while."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    async def publish(self, event: Event, *, outbox_id: str | None = None) -> str:
        if self.away:
            raise Unavailable
        self.events.append(event)
        return outbox_id or ""

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def tasks() -> Registry:
    return build_registry([(GREET, greet)])


def make(
    resources: Resources,
    tasks: Registry,
    hub: Publisher,
    outbox: Outbox | None = None,
    metrics: OutboxMetrics | None = None,
    **options: Any,
) -> Relay:
    return Relay(
        outbox or resources.outbox,
        jobs=resources.jobs,
        hub=hub,
        tasks=tasks,
        lease=RelayLease(resources.redis),
        metrics=metrics or OutboxMetrics(CollectorRegistry()),
        **options,
    )


@pytest.fixture
def relay(resources: Resources, tasks: Registry, heard: Heard) -> Relay:
    return make(resources, tasks, heard)


def event(name: str, user_id: UUID | None = None) -> Event:
    return Event(name, b"{}", user_id)


async def write(outbox: Outbox, *events: Event) -> None:
    async with outbox.transaction() as handover:
        for each in events:
            handover.tell(each)


async def until(check: object, *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():  # type: ignore[operator]  # a function without arguments
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


class TestHandover:
    async def test_what_is_committed_is_handed_on_and_forgotten(
        self, resources: Resources, relay: Relay, heard: Heard
    ) -> None:
        async with resources.outbox.transaction() as handover:
            handover.tell(event("a", UUID(int=1)))
            handover.queue(GREET, Greet(name="Ada"))
        row = await OutboxRow.get(kind=OutboxKind.JOB)
        await relay.hand_on_all()
        assert heard.events == [event("a", UUID(int=1))]
        assert (await resources.jobs.get(f"outbox:{row.key}")).payload == {"name": "Ada"}
        assert not await OutboxRow.exists()

    async def test_what_is_rolled_back_never_is(
        self, resources: Resources, relay: Relay, heard: Heard
    ) -> None:
        with pytest.raises(ZeroDivisionError):
            async with resources.outbox.transaction() as handover:
                handover.tell(event("a"))
                raise ZeroDivisionError
        await relay.hand_on_all()
        assert heard.events == []

    async def test_follows_the_order_of_writing_over_pages(
        self, resources: Resources, relay: Relay, heard: Heard
    ) -> None:
        names = [f"n{number}" for number in range(250)]
        await write(resources.outbox, *(event(name, UUID(int=1)) for name in names))
        await relay.hand_on_all()
        assert heard.types == names

    async def test_comes_with_the_commit_and_not_by_the_timer(
        self, resources: Resources, tasks: Registry, heard: Heard
    ) -> None:
        async with make(resources, tasks, heard, timer_seconds=3600):
            await asyncio.sleep(0.05)
            for number in range(5):
                await write(resources.outbox, event(f"n{number}"))
                await until(lambda: len(heard.events) > number)  # noqa: B023  # within the turn

    async def test_carries_the_request_id_from_the_change_to_the_job(
        self, resources: Resources, relay: Relay
    ) -> None:
        with bound_contextvars(request_id="r-1"):
            async with resources.outbox.transaction() as handover:
                handover.queue(GREET, Greet(name="Ada"))
        row = await OutboxRow.get()
        await relay.hand_on_all()
        assert (await resources.jobs.get(f"outbox:{row.key}")).request_id == "r-1"

    async def test_a_process_that_stops_hands_on_the_rest(
        self, resources: Resources, relay: Relay, heard: Heard
    ) -> None:
        async with relay:
            await write(resources.outbox, event("last"))
        assert heard.types == ["last"]


class TestDeath:
    async def test_between_commit_and_relay_another_process_hands_it_on(
        self, resources: Resources, tasks: Registry, heard: Heard
    ) -> None:
        """No nudge survives the process that wrote: the timer of any other finds the row."""
        await write(Outbox(), event("orphan"))
        async with make(resources, tasks, heard, Outbox()):
            await until(lambda: heard.types == ["orphan"])

    async def test_between_handover_and_removal_nothing_comes_twice(
        self, resources: Resources, tasks: Registry
    ) -> None:
        user_id = uuid4()
        async with resources.outbox.transaction() as handover:
            handover.tell(event("a", user_id))
            handover.queue(GREET, Greet(name="Ada"))
        rows = await OutboxRow.all()
        relay = make(resources, tasks, resources.hub)
        await relay.hand_on_all()
        await OutboxRow.bulk_create(rows)  # as if it had died before it removed them
        await relay.hand_on_all()
        assert not await OutboxRow.exists()
        streams = [
            await resources.redis.xlen(key)
            for key in await resources.redis.keys("*")
            if await resources.redis.type(key) == b"stream"
        ]
        assert streams == [1, 1]  # the user's, and everything
        job = f"outbox:{next(row.key for row in rows if row.kind is OutboxKind.JOB)}"
        waiting: Any = resources.queue_redis.lrange("myapp:queue:default:waiting", 0, -1)
        assert await waiting == [job]

    async def test_with_the_lease_in_hand_the_next_waits_for_its_end_and_no_longer(
        self, resources: Resources, relay: Relay, heard: Heard
    ) -> None:
        await RelayLease(resources.redis, seconds=0.3).take()
        await write(resources.outbox, event("a"))
        async with asyncio.timeout(4):  # a lease of its own takes longer
            await relay.hand_on_all()
        assert heard.types == ["a"]


class TestSeveral:
    async def test_relays_hand_on_each_row_once_and_in_order(
        self, resources: Resources, tasks: Registry, heard: Heard
    ) -> None:
        outboxes = [Outbox() for _ in range(3)]
        async with (
            make(resources, tasks, heard, outboxes[0]),
            make(resources, tasks, heard, outboxes[1]),
            make(resources, tasks, heard, outboxes[2]),
        ):
            for number in range(60):
                await write(outboxes[number % 3], event(f"n{number}", UUID(int=1)))
            await until(lambda: len(heard.events) >= 60)
            await asyncio.sleep(0.05)
        assert heard.types == [f"n{number}" for number in range(60)]


class TestRefusal:
    @staticmethod
    async def poison(user_id: UUID | None = None) -> OutboxRow:
        return await OutboxRow.create(
            kind=OutboxKind.JOB, name="person:forgotten", payload="{}", user_id=user_id
        )

    async def test_keeps_nobody_elses_rows(
        self, resources: Resources, relay: Relay, heard: Heard
    ) -> None:
        await self.poison(UUID(int=1))
        await write(resources.outbox, event("others", UUID(int=2)), event("all"))
        await relay.hand_on_all()
        assert heard.types == ["others", "all"]

    async def test_holds_back_the_same_users_until_it_is_set_aside(
        self, resources: Resources, relay: Relay, heard: Heard
    ) -> None:
        poison = await self.poison(UUID(int=1))
        await write(resources.outbox, event("behind", UUID(int=1)))
        for tries in range(1, REFUSALS + 1):
            assert heard.types == []
            await OutboxRow.all().update(retry_at=None)
            await relay.hand_on_all()
            await poison.refresh_from_db()
            assert poison.attempts == tries
        assert heard.types == ["behind"]
        assert poison.set_aside_at is not None
        assert poison.error is not None
        assert NotFound.__name__ in poison.error
        assert (await OutboxRow.state()).set_aside == 1

    async def test_waits_longer_with_each_try(
        self, resources: Resources, tasks: Registry, heard: Heard
    ) -> None:
        # Or a busy machine takes as long for the second pass as the refused row waits.
        relay = make(resources, tasks, heard, refusal_pause=Backoff(base=3600, cap=3600))
        poison = await self.poison()
        await relay.hand_on_all()
        await relay.hand_on_all()
        await poison.refresh_from_db()
        assert poison.attempts == 1
        assert poison.retry_at is not None
        assert poison.retry_at > datetime.now(UTC)

    async def test_is_not_tried_again_once_it_is_set_aside(self, relay: Relay) -> None:
        poison = await self.poison()
        await OutboxRow.filter(id=poison.id).update(set_aside_at=datetime.now(UTC))
        await relay.hand_on_all()
        await poison.refresh_from_db()
        assert poison.attempts == 0

    @pytest.mark.parametrize(("days", "kept"), [(29, True), (31, False)])
    async def test_is_kept_for_a_month_to_be_seen(
        self, relay: Relay, days: int, kept: bool
    ) -> None:
        poison = await self.poison()
        ago = datetime.now(UTC) - timedelta(days=days)
        await OutboxRow.filter(id=poison.id).update(set_aside_at=ago)
        assert await remove_set_aside() == (0 if kept else 1)
        assert await OutboxRow.exists() is kept


class TestOutage:
    async def test_of_the_hub_keeps_the_rows_in_order(
        self, resources: Resources, relay: Relay, heard: Heard
    ) -> None:
        heard.away = True
        async with relay:
            for number in range(3):
                await write(resources.outbox, event(f"n{number}"))
            await asyncio.sleep(0.3)
            assert await OutboxRow.all().count() == 3
            heard.away = False
            await until(lambda: heard.types == ["n0", "n1", "n2"])


class Unlucky(OutboxMetrics):
    """At first there is nothing to show: the database was away, or something else was wrong."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.errors: list[Exception] = [Unavailable(), ZeroDivisionError()]

    def show(self, state: OutboxState) -> None:
        if self.errors:
            raise self.errors.pop()
        super().show(state)


class TestGauges:
    async def test_follow_what_waits_while_nothing_can_be_handed_on(
        self, resources: Resources, tasks: Registry, heard: Heard
    ) -> None:
        heard.away = True
        registry = CollectorRegistry()
        metrics = OutboxMetrics(registry)
        await write(resources.outbox, event("a"))
        await OutboxRow.all().update(created_at=datetime.now(UTC) - timedelta(minutes=1))
        async with make(resources, tasks, heard, metrics=metrics, state_seconds=0.01):
            await until(lambda: registry.get_sample_value("outbox_waiting") == 1)
            age = registry.get_sample_value("outbox_oldest_seconds")
            assert age is not None
            assert age >= 60
            await write(resources.outbox, event("b"))
            await until(lambda: registry.get_sample_value("outbox_waiting") == 2)
            heard.away = False
            await until(lambda: registry.get_sample_value("outbox_waiting") == 0)
            await until(lambda: registry.get_sample_value("outbox_oldest_seconds") == 0)

    async def test_follow_it_while_another_has_the_lease_and_does_nothing(
        self, resources: Resources, tasks: Registry, heard: Heard
    ) -> None:
        idle = RelayLease(resources.redis, seconds=60)
        await idle.take()
        registry = CollectorRegistry()
        metrics = OutboxMetrics(registry)
        async with make(resources, tasks, heard, metrics=metrics, state_seconds=0.01):
            await write(resources.outbox, event("a"))
            await until(lambda: registry.get_sample_value("outbox_waiting") == 1)
            await idle.release()

    async def test_go_on_after_a_look_that_failed(
        self, resources: Resources, tasks: Registry, heard: Heard
    ) -> None:
        heard.away = True
        registry = CollectorRegistry()
        metrics = Unlucky(registry)
        await write(resources.outbox, event("a"))
        async with make(resources, tasks, heard, metrics=metrics, state_seconds=0.01):
            await until(lambda: registry.get_sample_value("outbox_waiting") == 1)


class TestRedisAway:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_writing_goes_on_and_all_of_it_is_handed_on_afterwards(
        self, resources: Resources, tasks: Registry, own_valkey: Valkey
    ) -> None:
        async with running(make(resources, tasks, resources.hub)):
            own_valkey.kill()
            async with resources.outbox.transaction() as handover:
                handover.queue(GREET, Greet(name="Ada"))
                handover.tell(event("a", UUID(int=1)))
            row = await OutboxRow.get(kind=OutboxKind.JOB)
            await asyncio.sleep(0.5)
            assert await OutboxRow.all().count() == 2
            own_valkey.start()
            deadline = time.monotonic() + 30
            while await OutboxRow.exists():
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            assert (await resources.jobs.get(f"outbox:{row.key}")).task == GREET.name


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    async with relay:
        await asyncio.sleep(0.05)
        yield
