"""GET /notifications, and reading."""

import json
from uuid import UUID, uuid4

import pytest
from httpx import AsyncClient

from myapp.database.notification import Notification
from myapp.database.outbox import OutboxRow
from tests.conftest import Headers, SignIn
from tests.modules.notification.conftest import MakeUser


@pytest.fixture
def headers(sign_in: SignIn) -> Headers:
    return sign_in("ada@example.com")


async def fill(user_id: UUID, count: int) -> list[str]:
    """Ids, the oldest first."""
    made = [
        await Notification.create(user_id=user_id, title=f"t{n}", body="b", data={"n": str(n)})
        for n in range(count)
    ]
    return [str(each.id) for each in made]


class TestList:
    async def test_shows_ones_own_the_newest_first_in_pages(
        self, client: AsyncClient, headers: Headers, ada: UUID, make_user: MakeUser
    ) -> None:
        ids = await fill(ada, 3)
        await fill(await make_user("bob@example.com"), 1)
        answer = await client.get("/notifications?per_page=2", headers=headers)
        assert [each["id"] for each in answer.json()["data"]] == [ids[2], ids[1]]
        assert answer.json()["meta"] == {"page": 1, "per_page": 2, "total": 3, "total_pages": 2}
        shown = answer.json()["data"][0]
        assert shown.keys() == {"id", "title", "body", "data", "read_at", "created_at"}
        assert shown["data"] == {"n": "2"}
        assert shown["created_at"].endswith("Z")

    @pytest.mark.parametrize(("query", "shown"), [("true", [1]), ("false", [0]), ("", [1, 0])])
    async def test_filters_by_what_is_unread(
        self, client: AsyncClient, headers: Headers, ada: UUID, query: str, shown: list[int]
    ) -> None:
        ids = await fill(ada, 2)
        await client.post(f"/notifications/{ids[0]}/read", headers=headers)
        answer = await client.get(f"/notifications?unread={query}", headers=headers)
        assert [each["id"] for each in answer.json()["data"]] == [ids[n] for n in shown]


class TestRead:
    async def test_marks_it_once_and_tells_the_users_streams(
        self, client: AsyncClient, headers: Headers, ada: UUID
    ) -> None:
        [first, _] = await fill(ada, 2)
        answers = [
            await client.post(f"/notifications/{first}/read", headers=headers) for _ in range(2)
        ]
        assert answers[0].json()["data"]["read_at"] is not None
        assert answers[1].json() == answers[0].json()
        told = await OutboxRow.filter(name="notification.read")
        assert [(row.user_id, json.loads(row.payload)["ids"]) for row in told] == [(ada, [first])]

    async def test_of_somebody_elses_is_not_found(
        self, client: AsyncClient, headers: Headers, ada: UUID, make_user: MakeUser
    ) -> None:
        [theirs] = await fill(await make_user("bob@example.com"), 1)
        for each in (theirs, str(uuid4())):
            answer = await client.post(f"/notifications/{each}/read", headers=headers)
            assert answer.status_code == 404
        assert (await Notification.get(id=theirs)).read_at is None


class TestReadAll:
    async def test_marks_ones_own_and_says_how_many(
        self, client: AsyncClient, headers: Headers, ada: UUID, make_user: MakeUser
    ) -> None:
        await fill(ada, 2)
        await fill(await make_user("bob@example.com"), 1)
        answers = [await client.post("/notifications/read-all", headers=headers) for _ in range(2)]
        assert [answer.json()["data"] for answer in answers] == [{"read": 2}, {"read": 0}]
        assert await Notification.filter(read_at=None).count() == 1
        assert await OutboxRow.filter(name="notification.read").count() == 1
