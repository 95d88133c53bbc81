"""What administrators can do with accounts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError

from myapp.audit import Actor, Audit
from myapp.database.connection import transaction
from myapp.database.paging import Counts, Rows, read_page
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.errors import Conflict, NotFound, Unavailable
from myapp.events import Event, UserSuspended, UserUpdated
from myapp.identity.accounts import Accounts
from myapp.modules.user.dtos import UserChanges, UserQuery
from myapp.modules.user.usecases.last_administrator import lock_dispensable
from myapp.modules.user.validators import PROFILE_RULES
from myapp.outbox.writing import Handover, Outbox

log = structlog.get_logger()

LISTED = (UserStatus.ACTIVE, UserStatus.SUSPENDED)  # the deleted ones only where asked for
BY_ADMIN = "admin"  # who suspended: what sync did, only sync undoes
RESTORE_ATTEMPTS = 3


class AdministrationUsecase:
    """Finds, changes, deletes and restores. A change is in force everywhere within a second."""

    def __init__(self, *, accounts: Accounts, outbox: Outbox, audit: Audit) -> None:
        self._accounts = accounts
        self._outbox = outbox
        self._audit = audit
        self._counts = Counts()

    async def find(self, query: UserQuery) -> Rows[User]:
        """One page of the users that match; where `q` is somebody's id, that one alone."""
        if (user := await find_by_id(query.q)) and fits(user, query):
            return Rows([user] if query.page == 1 else [], 1)
        statuses = LISTED if query.status is None else (query.status,)
        return await read_page(
            User.matching(statuses=statuses, role=query.role, q=query.q),
            sort=query.sort,
            page=query.page,
            per_page=query.per_page,
            counts=self._counts,
        )

    async def get(self, user_id: UUID) -> User:
        """Any account, also a deleted one. Raises NotFound."""
        user = await User.get_or_none(id=user_id)
        if user is None:
            raise NotFound("There is no such user")
        return user

    async def get_by_email(self, email: str) -> User:
        """The account that holds this address as verified: anybody may claim any other.

        Raises NotFound, which says whether somebody does.
        """
        if user := await User.by_email(email):
            return user
        if await User.exists(email__iexact=email.strip(), status__in=LISTED):
            raise NotFound(f"{email} is not verified, anybody may have claimed it: take the id")
        raise NotFound(f"No user has the email {email}")

    async def change(self, user_id: UUID, changes: UserChanges, actor: Actor) -> User:
        """Takes over the fields that `changes` was given.

        Raises Invalid, NotFound, and Conflict for a deleted user and the last active
        administrator.
        """
        await PROFILE_RULES.check(changes)
        wanted = changes.model_dump(exclude_unset=True)
        async with self._outbox.transaction() as handover:
            user = await (lock_dispensable if removes(wanted) else User.lock)(user_id)
            check_not_deleted(user)
            before = describe(user)
            user.update_from_dict(wanted)
            if "status" in wanted:
                user.suspended_by = BY_ADMIN if user.status is UserStatus.SUSPENDED else None
            after = describe(user)
            if after != before:
                await user.save()
                await self._record(actor, action_of(before, after), user, before)
                tell(handover, user, before)
        await self._accounts.announce(user_id)
        log.info("user changed", user_id=str(user_id), fields=sorted(wanted))
        return user

    async def delete(self, user_id: UUID, actor: Actor) -> None:
        """Closes an account, which can be restored for 30 days.

        Raises NotFound, and Conflict for a deleted user and the last active administrator.
        """
        async with transaction():
            user = await lock_dispensable(user_id)
            check_not_deleted(user)
            before = describe(user)
            user.mark_deleted(at=datetime.now(UTC))
            await user.save()
            await self._record(actor, "user.deleted", user, before)
        await self._accounts.announce(user_id)
        log.info("user deleted", user_id=str(user_id))

    async def restore(self, user_id: UUID, actor: Actor) -> User:
        """Opens a deleted account again, with its verified email if that is still free.

        Raises NotFound, and Conflict for one that is not deleted.
        """
        for _ in range(RESTORE_ATTEMPTS):
            try:
                user = await self._restore(user_id, actor)
            except IntegrityError:
                continue  # Somebody took the email in this moment: now it is not free.
            await self._accounts.announce(user_id)
            log.info("user restored", user_id=str(user_id))
            return user
        raise Unavailable("Too many sign-ins at once with this email")

    async def _restore(self, user_id: UUID, actor: Actor) -> User:
        async with self._outbox.transaction() as handover:
            user = await User.lock(user_id)
            if user.status is not UserStatus.DELETED:
                raise Conflict("This user is not deleted")
            before = describe(user)
            await user.mark_restored()
            await user.save()
            await self._record(actor, "user.restored", user, before)
            tell(handover, user, before)
        return user

    async def _record(
        self, actor: Actor, action: str, user: User, before: Mapping[str, Any]
    ) -> None:
        await self._audit(
            actor,
            action,
            target_type="user",
            target_id=user.id,
            before=before,
            after=describe(user),
        )


async def find_by_id(text: str) -> User | None:
    """The account whose id this text is, also a deleted one."""
    try:
        return await User.get_or_none(id=UUID(text))
    except ValueError:
        return None


def fits(user: User, query: UserQuery) -> bool:
    """Whether it passes all but `q`."""
    return query.status in (None, user.status) and query.role in (None, user.role)


def removes(wanted: Mapping[str, Any]) -> bool:
    """Whether such a change could take somebody from among the active administrators."""
    return wanted.get("status") is UserStatus.SUSPENDED or wanted.get("role") is UserRole.USER


def check_not_deleted(user: User) -> None:
    if user.status is UserStatus.DELETED:
        raise Conflict("This user is deleted; restore it first")


def describe(user: User) -> dict[str, Any]:
    """What the audit log may hold of a user."""
    return {
        "status": user.status.value,
        "role": user.role.value,
        "name": user.name,
        "phone": user.phone,
        "suspended_by": user.suspended_by,
    }


def tell(handover: Handover, user: User, before: Mapping[str, Any]) -> None:
    """The user's streams learn of a change; of a suspension last, since they end with it."""
    handover.tell(Event.of(UserUpdated.model_validate(user), user_id=user.id))
    if user.status is UserStatus.SUSPENDED and before["status"] != UserStatus.SUSPENDED:
        handover.tell(Event.of(UserSuspended(id=user.id), user_id=user.id))


def action_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The name of a change: that of its gravest part."""
    if before["status"] != after["status"]:
        return "user.suspended" if after["status"] == UserStatus.SUSPENDED else "user.reactivated"
    if before["role"] != after["role"]:
        return "user.promoted" if after["role"] == UserRole.ADMIN else "user.demoted"
    return "user.updated"
