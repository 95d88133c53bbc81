"""POST /notifications."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import AsyncClient

from myapp.database.api_key import Scope
from myapp.database.connection import transaction
from myapp.database.idempotency import IdempotentRequest
from myapp.database.notification import Broadcast, Notification
from myapp.database.outbox import OutboxKind, OutboxRow
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.errors import Conflict
from myapp.modules.notification.broadcast import BroadcastUsecase
from myapp.modules.notification.idempotency import (
    HELD,
    Attempt,
    IdempotencyKey,
    attempt,
    begin,
    meet,
)
from myapp.resources import Resources
from tests.conftest import Headers, SignIn
from tests.modules.notification.conftest import MakeUser
from tests.support.valkey import Valkey

HELLO = {"title": "Hello", "body": "World", "data": {"k": "v"}}


# As a sign-in does that joins an account, once it is known to be there.
REMOVE_USER = """CREATE TRIGGER remove_user BEFORE INSERT ON notifications
BEGIN DELETE FROM users WHERE id = NEW.user_id; END"""


class TestToUsers:
    async def test_to_one_who_is_removed_in_that_moment_is_a_404(
        self, client: AsyncClient, admin: Headers, ada: UUID, resources: Resources
    ) -> None:
        if resources.database.dialect != "sqlite":
            pytest.skip("the trigger is in SQLite's words")
        database = resources.database.client
        await database.execute_script(REMOVE_USER)
        try:
            answer = await client.post(
                "/notifications", headers=admin, json=HELLO | {"user_id": str(ada)}
            )
        finally:
            await database.execute_script("DROP TRIGGER remove_user")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert await User.exists(id=ada)
        assert await Notification.all().count() == 0

    async def test_puts_one_into_each_inbox_with_its_event_and_its_push(
        self, client: AsyncClient, admin: Headers, ada: UUID, make_user: MakeUser
    ) -> None:
        bob = await make_user("bob@example.com")
        await OutboxRow.all().delete()
        to = [str(bob), str(ada), str(bob)]
        answer = await client.post("/notifications", headers=admin, json=HELLO | {"user_ids": to})
        assert answer.status_code == 202
        ids = answer.json()["data"]["ids"]
        assert answer.json()["data"] == {"ids": ids, "accepted": 2}
        assert {(str(n.id), n.user_id) for n in await Notification.all()} == {
            (ids[0], bob),
            (ids[1], ada),
        }
        rows = await OutboxRow.all().order_by("id")
        assert [(row.kind, row.name, row.user_id) for row in rows] == [
            (kind, name, user_id)
            for user_id in (ada, bob)
            for kind, name in (
                (OutboxKind.EVENT, "notification.created"),
                (OutboxKind.JOB, "notification:send"),
            )
        ]

    @pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.DELETED, None])
    async def test_sends_nothing_when_one_is_unknown_or_not_active(
        self,
        client: AsyncClient,
        admin: Headers,
        ada: UUID,
        make_user: MakeUser,
        status: UserStatus | None,
    ) -> None:
        other = uuid4() if status is None else await make_user("bob@example.com")
        if status:
            await User.filter(id=other).update(status=status)
        answer = await client.post(
            "/notifications", headers=admin, json=HELLO | {"user_ids": [str(ada), str(other)]}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert not await Notification.exists()

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"title": "x" * 201}, "title"),
            ({"title": ""}, "title"),
            ({"title": " "}, "title"),
            ({"title": None}, "title"),
            ({"body": "x" * 2001}, "body"),
            ({"data": {"k": 1}}, "data.k"),
            ({"data": {"k": "x" * 3500}}, "data"),
            ({"data": {"k": "ü" * 1750}}, "data"),
            ({"data": {"from": "x"}}, "data"),
            ({"body": "a\x00b"}, "body"),
            ({"user_id": "nobody"}, "user_id"),
            ({"user_ids": []}, "user_ids"),
            ({"all": False}, "all"),
            ({"extra": 1}, "extra"),
        ],
    )
    async def test_refuses_what_breaks_a_rule(
        self,
        client: AsyncClient,
        admin: Headers,
        ada: UUID,
        change: dict[str, object],
        field: str,
    ) -> None:
        to = {} if change.keys() & {"user_ids", "all"} else {"user_id": str(ada)}
        answer = await client.post("/notifications", headers=admin, json=HELLO | to | change)
        assert answer.status_code == 400
        assert field in [fault["field"] for fault in answer.json()["details"]]

    async def test_takes_what_is_just_within_the_limits(
        self, client: AsyncClient, admin: Headers, ada: UUID
    ) -> None:
        most = {"title": "t" * 200, "body": "b" * 2000, "data": {"k": "x" * 3499}}
        answer = await client.post(
            "/notifications", headers=admin, json=most | {"user_id": str(ada)}
        )
        assert answer.status_code == 202

    @pytest.mark.parametrize("to", [{}, {"user_id": str(uuid4()), "all": True}])
    async def test_needs_exactly_one_addressee(
        self, client: AsyncClient, admin: Headers, to: dict[str, object]
    ) -> None:
        answer = await client.post("/notifications", headers=admin, json=HELLO | to)
        assert answer.status_code == 400

    async def test_takes_at_most_1000_users(self, client: AsyncClient, admin: Headers) -> None:
        to = [str(uuid4()) for _ in range(1001)]
        answer = await client.post("/notifications", headers=admin, json=HELLO | {"user_ids": to})
        assert answer.status_code == 400


class TestCallers:
    async def test_are_no_ordinary_users(
        self, client: AsyncClient, sign_in: SignIn, ada: UUID
    ) -> None:
        headers = sign_in("ada@example.com")
        answer = await client.post(
            "/notifications", headers=headers, json=HELLO | {"user_id": str(ada)}
        )
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("scope", "status"), [(Scope.NOTIFICATIONS_SEND, 202), (Scope.EVENTS_PUBLISH, 403)]
    )
    async def test_may_be_services_with_the_scope(
        self, client: AsyncClient, admin: Headers, ada: UUID, scope: Scope, status: int
    ) -> None:
        made = await client.post(
            "/admin/api-keys", headers=admin, json={"name": "shop", "scopes": [scope.value]}
        )
        headers = {"X-API-Key": made.json()["data"]["key"]}
        answer = await client.post(
            "/notifications", headers=headers, json=HELLO | {"user_id": str(ada)}
        )
        assert answer.status_code == status


class TestIdempotencyKey:
    async def test_gives_the_same_request_the_same_answer_and_no_effect(
        self, client: AsyncClient, admin: Headers, ada: UUID
    ) -> None:
        headers, body = admin | {"Idempotency-Key": "k1"}, HELLO | {"user_id": str(ada)}
        first = await client.post("/notifications", headers=headers, json=body)
        again = await client.post("/notifications", headers=headers, json=body)
        assert (again.status_code, again.json()) == (202, first.json())
        assert await Notification.all().count() == 1

    async def test_refuses_another_body(
        self, client: AsyncClient, admin: Headers, ada: UUID
    ) -> None:
        headers, body = admin | {"Idempotency-Key": "k1"}, HELLO | {"user_id": str(ada)}
        await client.post("/notifications", headers=headers, json=body)
        answer = await client.post("/notifications", headers=headers, json=body | {"title": "Ho"})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")

    async def test_is_each_callers_own(
        self, client: AsyncClient, admin: Headers, ada: UUID
    ) -> None:
        made = await client.post(
            "/admin/api-keys",
            headers=admin,
            json={"name": "shop", "scopes": ["notifications:send"]},
        )
        body = HELLO | {"user_id": str(ada)}
        for who in (admin, {"X-API-Key": made.json()["data"]["key"]}):
            await client.post("/notifications", headers=who | {"Idempotency-Key": "k"}, json=body)
        assert await Notification.all().count() == 2

    async def test_lets_one_of_many_at_once_through(
        self, client: AsyncClient, admin: Headers, ada: UUID
    ) -> None:
        headers, body = admin | {"Idempotency-Key": "k1"}, HELLO | {"user_id": str(ada)}
        answers = await asyncio.gather(
            *(client.post("/notifications", headers=headers, json=body) for _ in range(5))
        )
        assert {answer.status_code for answer in answers} <= {202, 409}
        assert 202 in {answer.status_code for answer in answers}
        assert await Notification.all().count() == 1

    async def test_of_a_request_that_failed_may_be_used_again(
        self, client: AsyncClient, admin: Headers, ada: UUID
    ) -> None:
        headers, body = admin | {"Idempotency-Key": "k1"}, HELLO | {"user_id": str(ada)}
        await User.filter(id=ada).update(status=UserStatus.SUSPENDED)
        assert (await client.post("/notifications", headers=headers, json=body)).status_code == 404
        await User.filter(id=ada).update(status=UserStatus.ACTIVE)
        assert (await client.post("/notifications", headers=headers, json=body)).status_code == 202

    @pytest.mark.parametrize("key", ["", "x" * 256, "\t"])
    async def test_has_a_form(
        self, client: AsyncClient, admin: Headers, ada: UUID, key: str
    ) -> None:
        headers = admin | {"Idempotency-Key": key}
        answer = await client.post(
            "/notifications", headers=headers, json=HELLO | {"user_id": str(ada)}
        )
        assert answer.status_code == 400


class TestAttempt:
    KEY = IdempotencyKey("user:1", "POST /x", "k")

    async def test_is_refused_while_another_is_under_way(self, resources: Resources) -> None:
        async with attempt(self.KEY, "body"):
            with pytest.raises(Conflict):
                await begin(self.KEY, "body")

    async def test_takes_over_from_one_whose_process_died(self, resources: Resources) -> None:
        dead = await begin(self.KEY, "hash")
        row = await IdempotentRequest.get(id=dead.id)
        await IdempotentRequest.all().update(held_until=row.began_at)
        alive = await begin(self.KEY, "hash")
        await alive.answer({"n": 1})
        with pytest.raises(Conflict):
            await dead.answer({"n": 2})
        assert (await begin(self.KEY, "hash")).replay == {"n": 1}

    async def begin_slowly(self) -> Attempt:
        """An attempt that takes so long that it counts as dead."""
        slow = await begin(self.KEY, "hash")
        await IdempotentRequest.all().update(held_until=datetime.now(UTC))
        return slow

    async def test_does_not_take_over_from_one_that_answers_after_all(
        self, resources: Resources
    ) -> None:
        slow = await self.begin_slowly()
        found = await IdempotentRequest.get(id=slow.id)
        now, answering = datetime.now(UTC), asyncio.Event()
        fresh: dict[str, Any] = {"holder": uuid4(), "held_until": now + HELD, "began_at": now}

        async def be_late() -> Attempt | None:
            await answering.wait()
            return await meet(found, fresh | {"request_hash": found.request_hash})

        late = asyncio.create_task(be_late())
        async with transaction():
            await slow.answer({"n": 1})
            answering.set()
            await asyncio.wait([late], timeout=0.3)  # it waits for the row, or for the database
        assert await late is None
        assert (await begin(self.KEY, "hash")).replay == {"n": 1}

    async def test_replays_what_was_answered_while_it_took_over(self, resources: Resources) -> None:
        if resources.database.dialect == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        slow = await self.begin_slowly()
        locked = asyncio.Event()

        async def be_late() -> Attempt:
            await locked.wait()
            return await begin(self.KEY, "hash")

        late = asyncio.create_task(be_late())
        async with transaction():
            await IdempotentRequest.select_for_update().get(id=slow.id)
            locked.set()
            await asyncio.wait([late], timeout=0.3)  # it has found no answer, and waits for the row
            await slow.answer({"n": 1})
        assert (await late).replay == {"n": 1}

    async def test_begins_afresh_after_a_day(self, resources: Resources) -> None:
        old = await begin(self.KEY, "hash")
        await old.answer({"n": 1})
        await IdempotentRequest.all().update(began_at=datetime.now(UTC) - timedelta(hours=25))
        assert (await begin(self.KEY, "other")).replay is None


class TestToAll:
    async def test_answers_with_a_number_and_no_ids(
        self, client: AsyncClient, admin: Headers, ada: UUID
    ) -> None:
        answer = await client.post("/notifications", headers=admin, json=HELLO | {"all": True})
        assert (answer.status_code, answer.json()["data"]) == (202, {"accepted": 2})

    async def test_reaches_every_active_user_once_in_chunks(
        self, client: AsyncClient, admin: Headers, make_user: MakeUser, resources: Resources
    ) -> None:
        users = {await make_user(f"u{number}@example.com") for number in range(5)}
        sad = await make_user("sad@example.com")
        await User.filter(id=sad).update(status=UserStatus.SUSPENDED)
        await client.post("/notifications", headers=admin, json=HELLO | {"all": True})
        broadcast = await Broadcast.get()
        await make_user("late@example.com")
        usecase = BroadcastUsecase(outbox=resources.outbox, chunk_users=2)
        counts = [await usecase.go_on(broadcast.id) for _ in range(5)]
        assert counts == [2, 2, 2, 0, 0]
        reached = await Notification.all().values_list("user_id", flat=True)
        assert len(reached) == 6
        assert users < set(reached)
        assert sad not in reached


class TestRedisAway:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_changes_nothing_for_the_sender(
        self, client: AsyncClient, admin: Headers, ada: UUID, own_valkey: Valkey
    ) -> None:
        own_valkey.kill()
        answer = await client.post(
            "/notifications", headers=admin, json=HELLO | {"user_id": str(ada)}
        )
        assert answer.status_code == 202
        assert await OutboxRow.filter(name="notification:send").count() == 1
