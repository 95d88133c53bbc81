"""Administrators who remove each other at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from myapp.audit import SYSTEM
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.errors import Conflict
from myapp.modules.user import UserModule
from myapp.modules.user.dtos import UserChanges
from myapp.registry import Features

ROUNDS = 10
Remove = Callable[[UserModule, UUID], Awaitable[object]]

DEMOTE = UserChanges(role=UserRole.USER)
SUSPEND = UserChanges(status=UserStatus.SUSPENDED)
REMOVALS: dict[str, Remove] = {
    "demote": lambda users, victim: users.administration.change(victim, DEMOTE, SYSTEM),
    "suspend": lambda users, victim: users.administration.change(victim, SUSPEND, SYSTEM),
    "delete": lambda users, victim: users.administration.delete(victim, SYSTEM),
    "leave": lambda users, victim: users.profile.delete(victim),
}


@pytest.fixture
def users(features: Features) -> UserModule:
    return features.get(UserModule)


@pytest.mark.parametrize("first", REMOVALS)
@pytest.mark.parametrize("second", ["demote", "leave"])
async def test_of_two_who_remove_each_other_one_stays(
    users: UserModule, first: str, second: str
) -> None:
    for _ in range(ROUNDS):
        await User.all().delete()
        ada, bob = [await User.create(role=UserRole.ADMIN) for _ in range(2)]
        outcomes = await asyncio.gather(
            REMOVALS[first](users, bob.id),
            REMOVALS[second](users, ada.id),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes].count(Conflict) == 1, outcomes
        assert await User.filter(role=UserRole.ADMIN, status=UserStatus.ACTIVE).count() == 1


async def test_of_many_who_remove_everybody_one_stays(users: UserModule) -> None:
    everybody = [await User.create(role=UserRole.ADMIN) for _ in range(8)]
    outcomes = await asyncio.gather(
        *(REMOVALS["demote"](users, victim.id) for victim in everybody),
        *(REMOVALS["suspend"](users, victim.id) for victim in reversed(everybody)),
        return_exceptions=True,
    )
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert {type(refusal) for refusal in refusals} == {Conflict}
    assert await User.filter(role=UserRole.ADMIN, status=UserStatus.ACTIVE).count() == 1
