"""What people say about themselves, and leaving."""

from datetime import UTC, datetime
from uuid import UUID

import structlog

from myapp.database.connection import transaction
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.errors import NotFound
from myapp.events import Event, UserUpdated
from myapp.identity.accounts import Accounts
from myapp.modules.user.dtos import ProfileChanges
from myapp.modules.user.usecases.last_administrator import lock_dispensable
from myapp.modules.user.validators import PROFILE_RULES
from myapp.outbox.writing import Outbox

log = structlog.get_logger()


class ProfileUsecase:
    """One's own account, and what others see of it."""

    def __init__(self, *, accounts: Accounts, outbox: Outbox) -> None:
        self._accounts = accounts
        self._outbox = outbox

    async def get_public(self, user_id: UUID) -> User:
        """Somebody's account, for others to see. Raises NotFound unless it is active."""
        user = await self._accounts.get(user_id)
        if user is None or user.status is not UserStatus.ACTIVE:
            raise NotFound("There is no such user")
        return user

    async def change(self, user_id: UUID, changes: ProfileChanges) -> User:
        """Takes over the fields that `changes` was given. Raises Invalid or Forbidden."""
        await PROFILE_RULES.check(changes)
        async with self._outbox.transaction() as handover:
            user = await User.lock_active(user_id)
            user.update_from_dict(changes.model_dump(exclude_unset=True))
            await user.save()
            handover.tell(Event.of(UserUpdated.model_validate(user), user_id=user_id))
        await self._accounts.announce(user_id)
        return user

    async def delete(self, user_id: UUID) -> None:
        """Closes the account. Its email is free at once; an administrator may restore it.

        Raises Forbidden, and Conflict for the last active administrator.
        """
        async with transaction():
            user = await lock_dispensable(user_id)
            user.check_active()
            user.mark_deleted(at=datetime.now(UTC))
            await user.save()
        await self._accounts.announce(user_id)
        log.info("user deleted", user_id=str(user_id))
