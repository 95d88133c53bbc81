"""One page of a query."""

from typing import Any, cast

import pytest
from tortoise.queryset import QuerySet

from myapp.audit import SYSTEM, record_change
from myapp.database.audit import AuditRecord
from myapp.database.paging import COUNT_SECONDS, Counts, read_page

pytestmark = pytest.mark.usefixtures("resources")


async def add(*names: str) -> None:
    for name in names:
        await record_change(SYSTEM, "thing.made", target_type="thing", target_id=name)


class Busy:
    """All records, to which others come right after they were counted."""

    model = AuditRecord

    def __init__(self, *names: str) -> None:
        self._found = AuditRecord.all()
        self._names = names

    async def count(self) -> int:
        total = await self._found.count()
        await add(*self._names)
        return total

    def order_by(self, *columns: str) -> QuerySet[AuditRecord]:
        return self._found.order_by(*columns)


async def read(found: Any, *, page: int, per_page: int) -> tuple[list[str], int]:
    read = await read_page(
        cast("QuerySet[AuditRecord]", found), sort="-id", page=page, per_page=per_page
    )
    return [record.target_id for record in read.rows], read.total


@pytest.mark.parametrize(
    ("page", "rows"), [(1, ["e", "d"]), (2, ["c", "b"]), (3, ["a"]), (4, []), (1_000_000, [])]
)
async def test_pages_of_both_halves_follow_one_order(page: int, rows: list[str]) -> None:
    await add("a", "b", "c", "d", "e")
    assert await read(AuditRecord.all(), page=page, per_page=2) == (rows, 5)


async def test_rows_that_come_while_they_are_counted_cut_no_page_short() -> None:
    await add("a")
    assert await read(Busy("b", "c"), page=1, per_page=5) == (["c", "b", "a"], 3)


async def test_rows_that_come_meanwhile_leave_the_last_page_what_it_was() -> None:
    await add("a", "b", "c", "d", "e")
    assert await read(Busy("f", "g"), page=3, per_page=2) == (["a"], 5)


class TestCounts:
    @pytest.fixture
    def now(self) -> list[float]:
        return [0.0]

    @pytest.fixture
    def counts(self, now: list[float]) -> Counts:
        return Counts(many=3, clock=lambda: now[0])

    async def test_of_a_few_rows_are_exact(self, counts: Counts) -> None:
        for names in ("a", "bc"):
            await add(*names)
            count = await counts.count(AuditRecord.all(), skipped=0)
            assert count == await AuditRecord.all().count()

    async def test_of_many_are_remembered_for_a_moment(
        self, counts: Counts, now: list[float]
    ) -> None:
        await add("a", "b", "c", "d")
        assert await counts.count(AuditRecord.all(), skipped=0) == 4
        await add("e")
        assert await counts.count(AuditRecord.all(), skipped=1) == 4
        now[0] += COUNT_SECONDS
        assert await counts.count(AuditRecord.all(), skipped=0) == 5

    async def test_of_a_few_among_many_are_remembered_too(self, counts: Counts) -> None:
        await add("a", "b", "c", "d")
        await counts.count(AuditRecord.all(), skipped=0)
        found = AuditRecord.filter(target_id="a")
        assert await counts.count(found, skipped=0) == 1
        await add("a")
        assert await counts.count(found, skipped=0) == 1

    async def test_that_found_nothing_hide_nothing(self, counts: Counts) -> None:
        await add("a", "b", "c", "d")
        await counts.count(AuditRecord.all(), skipped=0)
        found = AuditRecord.filter(target_id="e")
        assert (await read_page(found, sort="-id", page=1, per_page=2, counts=counts)).total == 0
        await add("e")
        assert (
            len((await read_page(found, sort="-id", page=1, per_page=2, counts=counts)).rows) == 1
        )

    async def test_of_many_are_exact_where_a_page_is_read_from_the_end(
        self, counts: Counts
    ) -> None:
        await add("a", "b", "c", "d")
        await counts.count(AuditRecord.all(), skipped=0)
        await add("e")
        found = await read_page(AuditRecord.all(), sort="-id", page=2, per_page=2, counts=counts)
        assert ([record.target_id for record in found.rows], found.total) == (["c", "b"], 5)
