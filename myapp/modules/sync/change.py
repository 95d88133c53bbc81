"""One user brought in line: what differs, and the change itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError

from myapp.audit import SYSTEM, Audit
from myapp.database.user import EMAIL_CHARACTERS, NAME_CHARACTERS, User, email_key
from myapp.enums import UserStatus
from myapp.events import Event, UserSuspended, UserUpdated
from myapp.identity.accounts import Accounts
from myapp.identity.directory import Person
from myapp.outbox.writing import Outbox

BY_SYNC = "sync"

log = structlog.get_logger()


class Action(StrEnum):
    """What a sync does to a user; `user.` and this is the audit log's word."""

    CREATED = "created"
    JOINED = "joined"
    UPDATED = "updated"
    SUSPENDED = "suspended"
    REACTIVATED = "reactivated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the list and our users."""

    action: Action
    uid: str
    email: str | None
    user_id: UUID | None


class ChangeUsecase:
    """Makes the changes, each in a transaction with its audit record and its events."""

    def __init__(self, *, accounts: Accounts, outbox: Outbox, audit: Audit) -> None:
        self._accounts = accounts
        self._outbox = outbox
        self._audit = audit

    async def make(self, change: Change, person: Person | None) -> bool:
        """Whether it was made: meanwhile somebody else may have made it, or a rule forbid it."""
        try:
            changed = await self._make(change, person)
        except IntegrityError:
            # A sign-in took the identity or the email in this moment; the next sync sees it.
            log.info("user changed meanwhile", uid=change.uid)
            return False
        if not changed:
            return False
        for user_id in changed:
            await self._accounts.announce(user_id)
        log.info("user synced", action=change.action.value, user_id=str(changed[0]))
        return True

    async def _make(self, change: Change, person: Person | None) -> list[UUID]:
        """The user, and the account that it took over and that is no more; nobody if not made."""
        async with self._outbox.transaction() as handover:
            administrators: list[User] = []
            prepared = None
            if endangers(change, person):
                administrators = await User.lock_administrators(also=change.user_id)
            else:
                prepared = await lock_prepared(change, person)
            user = await find_locked(change)
            if user is None or not is_theirs(user, change, person):
                return []
            before = None if change.action is Action.CREATED else describe(user)
            if prepared is not None and not await user.take_over(prepared):
                prepared = None
            await bring_in_line(user, person)
            if before == describe(user):
                return []
            if user.status is not UserStatus.ACTIVE and administrators == [user]:
                log.warning("the last active administrator is left alone", user_id=str(user.id))
                return []
            await user.save()
            await self._record(change, user, before, prepared)
            handover.tell(Event.of(UserUpdated.model_validate(user), user_id=user.id))
            if before is not None and suspends(user, before):
                handover.tell(Event.of(UserSuspended(id=user.id), user_id=user.id))
            return [user.id] if prepared is None else [user.id, prepared.id]

    async def _record(
        self, change: Change, user: User, before: Mapping[str, Any] | None, prepared: User | None
    ) -> None:
        taken_over = {} if prepared is None else {"prepared_id": str(prepared.id)}
        await self._audit(
            SYSTEM,
            f"user.{change.action.value}",
            target_type="user",
            target_id=user.id,
            before=before,
            after={**describe(user), **taken_over},
        )


def endangers(change: Change, person: Person | None) -> bool:
    """Whether it could take the last administrator, who then has to be locked first.

    The action does not say so: who was prepared is joined and suspended in one, and who was
    suspended when it was planned may have been reactivated since.
    """
    return change.user_id is not None and (person is None or person.disabled)


def suspends(user: User, before: Mapping[str, Any]) -> bool:
    """Whether it did suspend the user, whatever was planned."""
    return user.status is UserStatus.SUSPENDED and before["status"] != user.status


def is_theirs(user: User, change: Change, person: Person | None) -> bool:
    """Whether this is still the account that was planned for: a sign-in may have come between."""
    if user.status is UserStatus.DELETED:
        return False
    if change.action is Action.JOINED and person is not None and user.identity_uid is None:
        return bool(user.email_key == verified_key(person))
    return bool(user.identity_uid == change.uid)


async def find_locked(change: Change) -> User | None:
    if change.user_id is None:
        return User(identity_uid=change.uid)
    return await User.filter(id=change.user_id).select_for_update().first()


async def lock_prepared(change: Change, person: Person | None) -> User | None:
    """The account that waits for somebody who has one already; both are held."""
    if change.action is not Action.JOINED or change.user_id is None or person is None:
        return None
    return await User.lock_prepared(verified_key(person), also=change.user_id)


async def bring_in_line(user: User, person: Person | None) -> None:
    """Gives the user what the provider decides on: email, its verification, being disabled and
    being deleted. Only a suspension that sync made is lifted.
    """
    if person is None:
        user.mark_deleted(at=datetime.now(UTC))
        return
    wanted = (fitting_email(person), await free_key(person, holder=user))
    if (user.email, user.email_key) != wanted:
        user.email, user.email_key = wanted
        user.claims_at = datetime.now(UTC)  # a token that is older says nothing new
    user.identity_uid = person.uid
    user.name = user.name or (person.name[:NAME_CHARACTERS] if person.name else None)
    if person.disabled and user.status is UserStatus.ACTIVE:
        user.status, user.suspended_by = UserStatus.SUSPENDED, BY_SYNC
    elif is_to_be_lifted(user, person):
        user.status, user.suspended_by = UserStatus.ACTIVE, None


def is_to_be_lifted(user: User, person: Person) -> bool:
    suspended_by_sync = user.status is UserStatus.SUSPENDED and user.suspended_by == BY_SYNC
    return suspended_by_sync and not person.disabled


def fitting_email(person: Person) -> str | None:
    """None for one that is longer than an address may be: cut, it is another's."""
    return person.email if person.email and len(person.email) <= EMAIL_CHARACTERS else None


def verified_key(person: Person) -> str | None:
    email = fitting_email(person)
    return email_key(email) if email and person.email_verified else None


async def free_key(person: Person, *, holder: User | None) -> str | None:
    """The email as it is unique, if it is verified and no other account has it."""
    key = verified_key(person)
    if key is None or (holder is not None and holder.email_key == key):
        return key
    taken_by = await User.get_or_none(email_key=key)
    return key if taken_by is None or taken_by == holder else None


def describe(user: User) -> dict[str, Any]:
    """What the audit log may hold of a user."""
    return {
        "identity_uid": user.identity_uid,
        "email": user.email,
        "email_verified": user.email_key is not None,
        "role": user.role.value,
        "status": user.status.value,
        "suspended_by": user.suspended_by,
    }
