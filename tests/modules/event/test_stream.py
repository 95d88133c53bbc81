"""Streams over HTTP: real sockets, since a client without a network cannot hang up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from structlog.testing import capture_logs

from myapp.app import create_app
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.events import Event
from myapp.health import Health
from myapp.listener import bind
from myapp.registry import Features
from myapp.resources import Resources
from myapp.server import serve
from tests.conftest import Headers, SignIn
from tests.support.event_stream import Parser
from tests.support.hubs import until
from tests.support.people import Person, enter, enter_admin
from tests.support.valkey import Valkey


@dataclass
class Served:
    """The application behind a real listener."""

    address: str
    resources: Resources
    http: httpx.AsyncClient
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell(self, person: Person | None, *numbers: int, size: int = 0) -> None:
        for n in numbers:
            data = json.dumps({"n": n, "padding": "x" * size}).encode()
            event = Event("test.number", data, person.id if person else None)
            await self.resources.hub.publish(event)

    def metric(self, name: str) -> float | None:
        return self.resources.metrics.get_sample_value(name)


@dataclass
class Client:
    """A client of a stream, in a task of its own."""

    response: httpx.Response
    parser: Parser = field(default_factory=Parser)
    ended: bool = False

    @property
    def numbers(self) -> list[int]:
        return self.parser.numbers

    async def read(self) -> None:
        await self.parser.read(self.response.aiter_bytes())
        self.ended = True


@pytest.fixture
async def served(resources: Resources, features: Features) -> AsyncIterator[Served]:
    stop = asyncio.Event()
    app = create_app(resources.settings, features, Health(resources.checks(), stop=stop))
    sockets = bind("127.0.0.1", 0)
    address = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    listening = asyncio.Event()
    async with httpx.AsyncClient(base_url=address) as http, asyncio.TaskGroup() as group:
        group.create_task(
            serve(app, sockets, stop=stop, drain_seconds=0, deadline=5, listening=listening)
        )
        await listening.wait()
        yield Served(address, resources, http, stop)
        stop.set()
        resources.hub.drain()


@pytest.fixture
async def ada(served: Served, sign_in: SignIn) -> Person:
    return await enter(served.http, sign_in, "ada@example.com")


@asynccontextmanager
async def listening(
    served: Served, path: str = "/events", *, headers: Headers | None = None
) -> AsyncIterator[Client]:
    """A client that reads until the block ends."""
    async with served.http.stream("GET", path, headers=headers, timeout=None) as response:
        assert response.status_code == 200, await response.aread()
        client = Client(response)
        task = asyncio.create_task(client.read())
        await until(lambda: bool(client.parser.frames))
        try:
            yield client
        finally:
            task.cancel()
            await asyncio.wait([task])


async def refusal(served: Served, path: str, headers: Headers | None = None) -> httpx.Response:
    return await served.http.get(path, headers=headers)


class TestStream:
    async def test_it_is_an_event_stream_that_nobody_keeps_or_holds_back(
        self, served: Served, ada: Person
    ) -> None:
        async with listening(served, headers=ada.headers) as client:
            assert client.response.headers["Content-Type"] == "text/event-stream"
            assert client.response.headers["Cache-Control"] == "no-store"
            assert client.response.headers["X-Accel-Buffering"] == "no"
            assert client.response.headers["X-Request-ID"]

    async def test_events_come_as_they_happen(self, served: Served, ada: Person) -> None:
        async with listening(served, headers=ada.headers) as client:
            await served.tell(ada, 1)
            await served.tell(None, 2)
            await until(lambda: client.numbers == [1, 2])

    @pytest.mark.parametrize("by_header", [True, False])
    async def test_who_returns_has_what_was_missed(
        self, served: Served, ada: Person, by_header: bool
    ) -> None:
        async with listening(served, headers=ada.headers) as client:
            await served.tell(ada, 1)
            await until(lambda: client.numbers == [1])
        await served.tell(ada, 2, 3)
        last_id = client.parser.last_id or ""
        headers = {**ada.headers, "Last-Event-ID": last_id} if by_header else ada.headers
        path = "/events" if by_header else f"/events?last_event_id={last_id}"
        async with listening(served, path, headers=headers) as again:
            await until(lambda: again.numbers == [2, 3])

    async def test_the_header_goes_before_the_parameter(self, served: Served, ada: Person) -> None:
        """A browser that returns by itself still has the old id in its URL."""
        async with listening(served, headers=ada.headers) as client:
            await served.tell(ada, 1, 2)
            await until(lambda: client.numbers == [1, 2])
        first, second = (frame.id for frame in client.parser.events)
        headers = {**ada.headers, "Last-Event-ID": second or ""}
        async with listening(served, f"/events?last_event_id={first}", headers=headers) as again:
            await served.tell(ada, 3)
            await until(lambda: again.numbers == [3])

    async def test_a_client_that_hangs_up_leaves_nothing_behind(
        self, served: Served, ada: Person
    ) -> None:
        async with listening(served, headers=ada.headers):
            assert served.metric("event_streams_open") == 1
        await until(lambda: served.metric("event_streams_open") == 0)

    async def test_a_question_for_the_head_opens_nothing(self, served: Served, ada: Person) -> None:
        answer = await served.http.head("/events", headers=ada.headers)
        assert answer.status_code == 200
        assert served.metric("event_streams_open") == 0

    async def test_a_stranger_is_unauthenticated(self, served: Served) -> None:
        answer = await refusal(served, "/events")
        assert answer.status_code == 401
        assert "WWW-Authenticate" in answer.headers

    async def test_the_eleventh_is_refused(self, served: Served, ada: Person) -> None:
        async with asyncio.timeout(10):
            streams = [listening(served, headers=ada.headers) for _ in range(10)]
            for stream in streams:
                await stream.__aenter__()
            answer = await refusal(served, "/events", ada.headers)
            assert answer.status_code == 429
            assert answer.json()["code"] == "rate_limited"
            assert int(answer.headers["Retry-After"]) > 0
            for stream in streams:
                await stream.__aexit__(None, None, None)


class TestTicket:
    @staticmethod
    async def issue(served: Served, headers: Headers) -> str:
        answer = await served.http.post("/events/ticket", headers=headers)
        assert answer.status_code == 200
        data = answer.json()["data"]
        assert data.keys() == {"ticket", "expires_in"}
        assert data["expires_in"] == 30
        return str(data["ticket"])

    async def test_opens_its_users_stream_once(self, served: Served, ada: Person) -> None:
        ticket = await self.issue(served, ada.headers)
        async with listening(served, f"/events?ticket={ticket}") as client:
            await served.tell(ada, 1)
            await until(lambda: client.numbers == [1])
        assert (await refusal(served, f"/events?ticket={ticket}")).status_code == 401

    async def test_of_twenty_who_come_at_once_one_gets_in(
        self, served: Served, ada: Person
    ) -> None:
        ticket = await self.issue(served, ada.headers)

        async def status() -> int:
            async with served.http.stream("GET", f"/events?ticket={ticket}") as response:
                return response.status_code

        statuses = await asyncio.gather(*(status() for _ in range(20)))
        assert sorted(statuses) == [200] + [401] * 19

    async def test_a_suspended_user_has_no_use_for_it(self, served: Served, ada: Person) -> None:
        ticket = await self.issue(served, ada.headers)
        await User.filter(id=ada.id).update(status=UserStatus.SUSPENDED)
        await served.resources.accounts.announce(ada.id)
        answer = await refusal(served, f"/events?ticket={ticket}")
        assert (answer.status_code, answer.json()["code"]) == (403, "account_suspended")

    async def test_its_stream_ends_with_the_token_that_it_was_got_with(
        self, served: Served, sign_in: SignIn, ada: Person
    ) -> None:
        headers = sign_in("ada@example.com", expires_in=4)
        ticket = await self.issue(served, headers)
        async with listening(served, f"/events?ticket={ticket}") as client:
            await until(lambda: client.ended, within=15)  # the ticket is good for thirty seconds

    async def test_is_not_to_be_sent_with_a_token(self, served: Served, ada: Person) -> None:
        ticket = await self.issue(served, ada.headers)
        answer = await refusal(served, f"/events?ticket={ticket}", ada.headers)
        assert answer.status_code == 400

    async def test_is_in_no_log(self, served: Served, ada: Person) -> None:
        with capture_logs() as logs:
            ticket = await self.issue(served, ada.headers)
            async with listening(served, f"/events?ticket={ticket}&last_event_id=secret-id"):
                pass
            await refusal(served, f"/events?ticket={ticket}")
        text = repr(logs)
        assert "/events" in text
        assert ticket not in text
        assert ada.headers["Authorization"].split()[1] not in text

    async def test_is_for_those_who_have_signed_in(self, served: Served) -> None:
        assert (await served.http.post("/events/ticket")).status_code == 401


class TestEnd:
    async def test_comes_with_a_suspension(self, served: Served, ada: Person) -> None:
        async with listening(served, headers=ada.headers) as client:
            await User.filter(id=ada.id).update(status=UserStatus.SUSPENDED)
            await served.resources.accounts.announce(ada.id)
            await until(lambda: client.ended, within=3)

    async def test_of_a_process_comes_with_a_retry_and_soon(
        self, served: Served, ada: Person
    ) -> None:
        async with listening(served, headers=ada.headers) as client:
            served.stop.set()
            served.resources.hub.drain()
            await until(lambda: client.ended, within=3)
            assert client.parser.frames[-1].retry


class TestSlowReader:
    async def test_is_dropped_delays_nobody_and_resumes(self, served: Served, ada: Person) -> None:
        total, size = 600, 40_000  # more than the kernel and the buffer take together
        address = served.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(address[0], int(address[1]), limit=1024)
        token = ada.headers["Authorization"]
        writer.write(f"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
        assert b"200" in await reader.readline()
        async with listening(served, headers=ada.headers) as quick:
            for n in range(total):
                await served.tell(ada, n, size=size)
            await until(lambda: quick.numbers == list(range(total)), within=30)
        await until(lambda: served.metric("event_readers_dropped_total") == 1)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(total * size)
        writer.transport.abort()


class TestEverything:
    async def test_is_shown_to_an_administrator(
        self, served: Served, sign_in: SignIn, ada: Person
    ) -> None:
        admin = await enter_admin(served.http, sign_in)
        async with listening(served, "/admin/events", headers=admin.headers) as client:
            await served.tell(ada, 1)
            await served.tell(None, 2)
            await until(lambda: client.numbers == [1, 2])
        first, second = (event.json for event in client.parser.events)
        assert (first["user_id"], second["user_id"]) == (str(ada.id), None)
        path = f"/admin/events?last_event_id={client.parser.events[0].id}"
        async with listening(served, path, headers=admin.headers) as again:
            await until(lambda: again.numbers == [2])

    async def test_is_refused_to_a_user(self, served: Served, ada: Person) -> None:
        assert (await refusal(served, "/admin/events", ada.headers)).status_code == 403

    async def test_ends_with_a_demotion(self, served: Served, sign_in: SignIn) -> None:
        admin = await enter_admin(served.http, sign_in)
        async with listening(served, "/admin/events", headers=admin.headers) as client:
            await User.filter(id=admin.id).update(role=UserRole.USER)
            await served.resources.accounts.announce(admin.id)
            await until(lambda: client.ended, within=3)


class TestWithoutRedis:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_everything_about_events_is_unavailable_for_a_while(
        self, served: Served, ada: Person, own_valkey: Valkey
    ) -> None:
        own_valkey.kill()
        await until(lambda: not served.resources.bus.connected)
        for method, path in (("GET", "/events"), ("POST", "/events/ticket")):
            answer = await served.http.request(method, path, headers=ada.headers)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert "Retry-After" in answer.headers
