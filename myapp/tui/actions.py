"""What can be done and where it leads, as data."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from myapp.audit import Actor
from myapp.queue.admin_bulk import BulkProgress
from myapp.registry import Features

Row = TypeVar("Row")
Settled = TypeVar("Settled")


@dataclass(frozen=True, kw_only=True)
class Bulk(Generic[Settled]):
    """One action on all that match.

    `settle` decides what those are, once and for all: whatever comes to match later is not among
    them. `count` says to how many of these it applies now. `call` does it to them, and is told how
    many the question named; where it does not finish, the rest is left to the task jobs:bulk.
    """

    settle: Callable[[Features, Any], Awaitable[Settled]]
    count: Callable[[Features, Settled], Awaitable[int]]
    call: Callable[[Features, Settled, int, Actor], Awaitable[BulkProgress]]


def always(_row: object) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Action(Generic[Row]):
    """Something that a usecase does to a row, once it is confirmed.

    The words make sentences about the target: `verb` "Retry", `effect` "will be queued again",
    `done` "is queued again". `applies` decides whether the key does anything for this row; the
    rule itself is the usecase's. `call` may return a sentence to show instead of `done`. Where it
    `reveals`, it returns a Secret, which stays until it is closed: with several rows, each before
    the next is done. `bulk` does it to all that match what a view has chosen. At 80 columns a
    footer has room for two or three; the help and the palette have all.
    """

    key: str
    verb: str
    effect: str
    done: str
    call: Callable[[Features, Row, Actor], Awaitable[object]]
    applies: Callable[[Row], bool] = always
    reveals: bool = False
    bulk: Bulk[Any] | None = None
    in_footer: bool = True


@dataclass(frozen=True, kw_only=True)
class Field:
    """One line of a form. `hint` says what may be written there."""

    name: str
    label: str
    hint: str = ""
    value: str = ""


Asked = TypeVar("Asked")


@dataclass(frozen=True, kw_only=True)
class FormAction(Generic[Asked]):
    """Something that is done to no row that is there: it asks for what it needs.

    `read` makes of the texts that were filled in what is asked for, and may look up for whom it
    is; `question` confirms that, naming the effect. `call` does it, to nothing else than what the
    question named, and returns what to show: a sentence as a notice, or a Secret, which stays
    until it is closed and can be copied. The form stays until then: it shows an AppError of any of
    them, each of its details beside the field of that name, and keeps what was typed after a no.
    """

    key: str
    verb: str
    fields: Sequence[Field]
    read: Callable[[Features, Mapping[str, str]], Awaitable[Asked]]
    question: Callable[[Features, Asked], Awaitable[str]]
    call: Callable[[Features, Asked, Actor], Awaitable["str | Secret"]]


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is shown once, under a sentence that says what it is."""

    sentence: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Link(Generic[Row]):
    """Where a row leads to: another view, with a filter. A filter of None leads nowhere."""

    key: str
    name: str
    view: str
    filter: Callable[[Row], str | None]
