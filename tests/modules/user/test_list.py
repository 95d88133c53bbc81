"""/admin/users: finding users."""

from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from tests.support.people import Person


async def emails(client: AsyncClient, root: Person, **query: Any) -> list[str | None]:
    answer = await client.get("/admin/users", headers=root.headers, params=query)
    assert answer.status_code == 200, answer.text
    return [user["email"] for user in answer.json()["data"]]


@pytest.fixture
async def people(root: Person) -> None:
    """Beside root: some of every kind."""
    await User.create(email="ann@example.com", name="Ann Ärmel")
    await User.create(email="bob@other.org", name="Bob 100%", status=UserStatus.SUSPENDED)
    await User.create(email="cem_x@example.com", name="Çem", role=UserRole.ADMIN)
    await User.create(email="del@example.com", name="Del", status=UserStatus.DELETED)
    await User.create(email=None, name=None)


@pytest.mark.usefixtures("people")
class TestFilters:
    @pytest.mark.parametrize(
        ("q", "found"),
        [
            ("example", {"ann@example.com", "cem_x@example.com", "root@example.com"}),
            ("EXAMPLE.c", {"ann@example.com", "cem_x@example.com", "root@example.com"}),
            ("nn", {"ann@example.com"}),
            ("ärm", {"ann@example.com"}),
            ("ÄRMEL", {"ann@example.com"}),
            ("A\u0308RM", {"ann@example.com"}),  # typed on a keyboard that composes
            ("%", {"bob@other.org"}),
            ("_", {"cem_x@example.com"}),
            ("0%", {"bob@other.org"}),
            ("\\", set()),
            ("' OR 1=1 --", set()),
            ('"', set()),
            ("com ann", set()),  # no match reaches from the email into the name
            ("x" * 320, set()),
        ],
    )
    async def test_q_is_a_part_of_email_or_name_in_any_case(
        self, client: AsyncClient, root: Person, q: str, found: set[str]
    ) -> None:
        assert set(await emails(client, root, q=q)) == found

    async def test_deleted_users_are_listed_where_asked_for_alone(
        self, client: AsyncClient, root: Person
    ) -> None:
        assert "del@example.com" not in await emails(client, root)
        assert await emails(client, root, q="del@") == []
        assert await emails(client, root, status="deleted") == ["del@example.com"]

    async def test_q_finds_anybody_by_their_id(self, client: AsyncClient, root: Person) -> None:
        for email in ("ann@example.com", "del@example.com"):
            user_id = (await User.get(email=email)).id
            assert await emails(client, root, q=user_id) == [email]
            assert await emails(client, root, q=str(user_id).upper()) == [email]
            assert await emails(client, root, q=user_id, page=2) == []
        assert await emails(client, root, q=user_id, status="active") == []
        assert await emails(client, root, q=user_id, role="admin") == []
        assert await emails(client, root, q=uuid4()) == []

    async def test_an_id_that_is_a_part_of_a_name_finds_that(
        self, client: AsyncClient, root: Person
    ) -> None:
        relay = f"{uuid4()}@relay.example"
        await User.create(email=relay)
        assert await emails(client, root, q=relay.partition("@")[0]) == [relay]

    async def test_filters_add_up(self, client: AsyncClient, root: Person) -> None:
        assert await emails(client, root, status="suspended") == ["bob@other.org"]
        assert set(await emails(client, root, role="admin")) == {
            "root@example.com",
            "cem_x@example.com",
        }
        assert await emails(client, root, role="admin", q="cem") == ["cem_x@example.com"]
        assert await emails(client, root, role="admin", status="suspended") == []

    async def test_an_empty_parameter_is_as_none(self, client: AsyncClient, root: Person) -> None:
        empty = dict.fromkeys(("q", "status", "role", "sort", "page", "per_page"), "")
        assert await emails(client, root, **empty) == await emails(client, root)

    async def test_a_name_that_changes_is_found_by_the_new_one(
        self, client: AsyncClient, root: Person
    ) -> None:
        path = f"/admin/users/{root.id}"
        await client.patch(path, headers=root.headers, json={"name": "Wurzel"})
        assert await emails(client, root, q="wurz") == ["root@example.com"]


class TestSort:
    @pytest.mark.usefixtures("people")
    async def test_orders_by_each_column_in_both_directions(
        self, client: AsyncClient, root: Person
    ) -> None:
        ordered = ["root@example.com", "ann@example.com", "bob@other.org", "cem_x@example.com"]
        assert (await emails(client, root, sort="created_at"))[:4] == ordered
        assert (await emails(client, root))[1:] == ordered[::-1]
        by_email = [email for email in await emails(client, root, sort="email") if email]
        assert by_email == sorted(ordered)
        for column in ("created_at", "email", "name"):
            ascending = await emails(client, root, sort=column)
            assert await emails(client, root, sort=f"-{column}") == ascending[::-1]

    async def test_pages_hold_everybody_once_also_where_names_are_equal(
        self, client: AsyncClient, root: Person
    ) -> None:
        for number in range(11):
            await User.create(email=f"{number}@example.com", name="Same")
        for sort in ("name", "-name", "created_at", "-email"):
            seen = []
            for page in range(1, 6):
                seen += await emails(client, root, sort=sort, page=page, per_page=3)
            assert len(seen) == len(set(seen)) == 12
            assert seen == await emails(client, root, sort=sort)


class TestPaging:
    async def test_meta_says_where_the_page_stands(self, client: AsyncClient, root: Person) -> None:
        for _ in range(4):
            await User.create()
        answer = await client.get(
            "/admin/users", headers=root.headers, params={"page": 3, "per_page": 2}
        )
        assert answer.json()["meta"] == {"page": 3, "per_page": 2, "total": 5, "total_pages": 3}
        assert len(answer.json()["data"]) == 1

    async def test_a_page_past_the_end_is_empty(self, client: AsyncClient, root: Person) -> None:
        assert await emails(client, root, page=1_000_000_000, per_page=100) == []

    @pytest.mark.parametrize(
        "query",
        [
            "page=0",
            "page=-1",
            "page=1.5",
            "page=x",
            "page=1&page=2",
            "page=99999999999999999999",
            "per_page=0",
            "per_page=101",
            "per_page=1e9",
            "sort=id",
            "sort=password",
            "sort=--email",
            "sort=email,name",
            "sort=email;drop table users",
            "status=gone",
            "status=active&status=deleted",
            "role=root",
            "q=" + "x" * 321,
            "q=a%00b",
            "q=a%0Ab",
            "limit=5",
            "identity_uid=x",
        ],
    )
    async def test_what_makes_no_sense_is_refused(
        self, client: AsyncClient, root: Person, query: str
    ) -> None:
        answer = await client.get(f"/admin/users?{query}", headers=root.headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert answer.json()["details"]

    async def test_all_that_is_given_twice_is_named(
        self, client: AsyncClient, root: Person
    ) -> None:
        query = "page=1&page=2&role=user&sort=name&sort=name"
        answer = await client.get(f"/admin/users?{query}", headers=root.headers)
        assert [fault["field"] for fault in answer.json()["details"]] == ["page", "sort"]

    @pytest.mark.parametrize("query", ["q=%FF%FE", "q=%F0%9F%A6%8A", "q=%ED%A0%80", "q=NULL"])
    async def test_odd_bytes_find_nobody(
        self, client: AsyncClient, root: Person, query: str
    ) -> None:
        answer = await client.get(f"/admin/users?{query}", headers=root.headers)
        assert (answer.status_code, answer.json()["data"]) == (200, [])
