"""Reading one page of a query, deep ones too."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from tortoise.models import Model
from tortoise.queryset import QuerySet

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Rows(Generic[M]):
    """One page, and how many rows all pages have."""

    rows: list[M]
    total: int


async def read_page(found: QuerySet[M], *, sort: str, page: int, per_page: int) -> Rows[M]:
    """The page, in the order of the column `sort`, descending with a leading `-`.

    Rows that are equal there are in the order of their ids, so that no page repeats a row. A page
    of the second half is read from the end: half of the way is the longest there is. Rows that
    come while they are counted cut no page short.
    """
    total = await found.count()
    skipped = (page - 1) * per_page
    if skipped >= total:
        return Rows([], total)
    length = min(per_page, total - skipped)
    left = total - skipped - length
    if skipped <= left:
        rows = await slice_of(found, sort, skipped, per_page)
        return Rows(rows, max(total, skipped + len(rows)))
    rows = await slice_of(found, opposite(sort), left, length)
    return Rows(rows[::-1], total)


async def slice_of(found: QuerySet[M], sort: str, offset: int, limit: int) -> list[M]:
    """First the ids, which an index alone can tell, then these rows: none is read to be skipped."""
    sign = "-" if sort.startswith("-") else ""
    columns = (sort,) if sort.removeprefix("-") == "id" else (sort, f"{sign}id")
    wanted = found.order_by(*columns).offset(offset).limit(limit)
    ids = await wanted.values_list("id", flat=True)
    rows = {row.pk: row for row in await found.model.filter(id__in=ids)}
    return [rows[row_id] for row_id in ids if row_id in rows]  # one may be gone by now


def opposite(sort: str) -> str:
    return sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
