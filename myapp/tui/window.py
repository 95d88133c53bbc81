"""The part of a long list that is in memory: some pages around what is on the screen."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

PAGE_ROWS = 50

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """One page of a list, and how many rows all pages have."""

    rows: Sequence[Row]
    total: int


Load = Callable[[int, int], Awaitable[Found[Row]]]  # a page's number, and how many rows it has


@dataclass(slots=True)
class RowWindow(Generic[Row]):
    """Rows by their place in the list, from 0. Pages are numbered from 1, as usecases do."""

    key_of: Callable[[Row], str]
    total: int = 0
    pages: Mapping[int, Sequence[Row]] = field(default_factory=dict)

    def row(self, place: int) -> Row | None:
        """The row, None where it is not in memory."""
        number, offset = divmod(place, PAGE_ROWS)
        rows = self.pages.get(number + 1, ())
        return rows[offset] if 0 <= offset < len(rows) else None

    def place_of(self, key: str) -> int | None:
        for number, rows in self.pages.items():
            for offset, row in enumerate(rows):
                if self.key_of(row) == key:
                    return (number - 1) * PAGE_ROWS + offset
        return None

    def misses(self, places: Iterable[int]) -> bool:
        """Whether a page that these lie on is not in memory."""
        return not pages_of(place for place in places if place < self.total) <= set(self.pages)

    async def read(
        self, load: Load[Row], places: Iterable[int], *, cursor: int, key: str | None
    ) -> tuple[dict[int, Sequence[Row]], int]:
        """The pages of these places as they are now, and where the row of this key went to."""
        pages, total = await fetch(load, pages_of(places))
        if key and not any(self.key_of(row) == key for rows in pages.values() for row in rows):
            # It may have moved by as many places as there are more rows, or a page or so; also
            # beyond the total, where rows came between the counting and the reading.
            near = pages_of([cursor + total - self.total])
            near |= pages_of([cursor - PAGE_ROWS, cursor, cursor + PAGE_ROWS])
            more, total = await fetch(load, near - set(pages), total)
            pages |= more
        return pages, total

    def hold(self, pages: Mapping[int, Sequence[Row]], total: int) -> None:
        """These pages and no others from now on."""
        self.pages = dict(pages)
        self.total = total


def pages_of(places: Iterable[int]) -> set[int]:
    """The numbers of the pages that these places lie on."""
    return {place // PAGE_ROWS + 1 for place in places if place >= 0}


async def fetch(
    load: Load[Row], numbers: set[int], total: int = 0
) -> tuple[dict[int, Sequence[Row]], int]:
    """Pages by their numbers, and how many rows all have; `total` where there is none to read."""
    pages: dict[int, Sequence[Row]] = {}
    for number in sorted(numbers):
        found = await load(number, PAGE_ROWS)
        pages[number], total = found.rows, found.total
    return pages, total
