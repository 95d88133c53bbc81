"""The identity provider's list of people, where it has one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from myapp.errors import Conflict

LOOKUP_UIDS = 100  # what Firebase looks up at once


class NoDirectory(Conflict):
    """There is no list to bring anything in line with."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as the provider has them now."""

    uid: str
    email: str | None
    email_verified: bool
    name: str | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list; without a `next` token it is the last."""

    people: Sequence[Person]
    next: str | None


class Directory(Protocol):
    """A provider's list. Methods raise Unavailable when the provider cannot be asked."""

    async def list_page(self, token: str | None) -> Listing:
        """The page that this token stands for, or the first one.

        Raises NoDirectory, and Invalid for a token that is no longer good.
        """

    async def find_missing(self, uids: Sequence[str]) -> frozenset[str]:
        """Which of these, at most LOOKUP_UIDS, the provider does not have any more."""

    async def close(self) -> None:
        """Gives back threads and connections."""


class AbsentDirectory:
    """For providers that keep no list, or do not show it."""

    def __init__(self, reason: str) -> None:
        """`reason` is a sentence for who wanted the list."""
        self._reason = reason

    async def list_page(self, token: str | None) -> Listing:  # noqa: ARG002  # its shape
        raise NoDirectory(self._reason)

    async def find_missing(self, uids: Sequence[str]) -> frozenset[str]:  # noqa: ARG002  # its shape
        raise NoDirectory(self._reason)

    async def close(self) -> None:
        """Nothing is open."""
