"""Reading one page of a query, deep ones too."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cachetools import TTLCache
from tortoise.models import Model
from tortoise.queryset import QuerySet

M = TypeVar("M", bound=Model)

MANY = 10_000  # rows: to count a million takes 0.2 s, in which SQLite does nothing else
COUNT_SECONDS = 5.0  # how old a count of many may be
MAX_QUERIES = 1_000


@dataclass(frozen=True, slots=True)
class Rows(Generic[M]):
    """One page, and how many rows all pages have."""

    rows: list[M]
    total: int


class Counts:
    """How many rows queries have: exactly, or in a table of MANY as it was a few seconds ago."""

    def __init__(self, *, many: int = MANY, clock: Callable[[], float] = time.monotonic) -> None:
        self._many = many
        # A filter that few rows pass takes as long as one that many do: it reads them all.
        self._large: set[type[Model]] = set()
        self._remembered: TTLCache[str, int] = TTLCache(MAX_QUERIES, COUNT_SECONDS, timer=clock)

    async def count(self, found: QuerySet[Any], *, skipped: int) -> int:
        """For a page after so many rows: exact in the second half, which is read from the end.

        Nothing is counted anew each time, so that the first row shows at once.
        """
        query = found.sql(params_inline=True)
        total = self._remembered.get(query)
        if total is None or skipped * 2 >= total:
            total = await found.count()
            if total > self._many:
                self._large.add(found.model)
            if found.model in self._large:
                self._remembered[query] = total
        return total


async def read_page(
    found: QuerySet[M], *, sort: str, page: int, per_page: int, counts: Counts | None = None
) -> Rows[M]:
    """The page, in the order of the column `sort`, descending with a leading `-`.

    Rows that are equal there are in the order of their ids, so that no page repeats a row. A page
    of the second half is read from the end: half of the way is the longest there is. Rows that
    come while they are counted cut no page short. `counts` spares the counting of many.
    """
    skipped = (page - 1) * per_page
    total = await (counts.count(found, skipped=skipped) if counts else found.count())
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
