"""Somebody must be left who can let others in."""

from uuid import UUID

from myapp.database.user import User
from myapp.errors import Conflict


async def lock_dispensable(user_id: UUID) -> User:
    """The account for a change that may take it from among the active administrators.

    Call it before any other lock, in a transaction: it holds all active administrators until that
    ends, so that two who remove each other do so one after the other, and the second is refused.
    Raises Conflict for the last one, and NotFound.
    """
    administrators = await User.lock_administrators(also=user_id)
    if [administrator.id for administrator in administrators] == [user_id]:
        raise Conflict("This is the last active administrator")
    return await User.lock(user_id)
