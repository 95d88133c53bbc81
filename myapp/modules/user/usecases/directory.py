"""Accounts as lists for other services, which read far more of them than people do."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise.expressions import Q

from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.modules.user.usecases.administration import LISTED


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts. `email` is a part of the address, in any case.

    Deleted ones are found with their status alone.
    """

    status: UserStatus | None = None
    role: UserRole | None = None
    email: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an account stands in the order of their making."""

    created_at: datetime
    id: UUID

    @classmethod
    def of(cls, user: User) -> "Place":
        return cls(user.created_at, user.id)


class DirectoryUsecase:
    """Reads many accounts at once."""

    async def find(
        self, wanted: AccountFilter, *, after: Place | None = None, limit: int
    ) -> list[User]:
        """The next accounts after a place, the oldest first.

        However many come and go between two calls, one that stays is found exactly once.
        """
        statuses = LISTED if wanted.status is None else (wanted.status,)
        # The search finds the address quickly where there is an index; it has the name as well.
        found = User.matching(statuses=statuses, role=wanted.role, q=wanted.email)
        if wanted.email:
            found = found.filter(email__icontains=wanted.email)
        if after is not None:
            # One range of the index; the second condition only skips what has the same time.
            later = Q(created_at__gt=after.created_at) | Q(id__gt=after.id)
            found = found.filter(later, created_at__gte=after.created_at)
        return await found.order_by("created_at", "id").limit(limit)

    async def get_many(self, user_ids: Collection[UUID]) -> dict[UUID, User]:
        """Those of the accounts that there are, by their ids; deleted ones too."""
        return {user.id: user for user in await User.filter(id__in=list(user_ids))}
