"""What differs between a page of the provider's list and our users."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.identity.directory import Person
from myapp.modules.sync.change import (
    Action,
    Change,
    fitting_email,
    free_key,
    is_to_be_lifted,
    verified_key,
)


async def plan_page(people: Sequence[Person]) -> list[tuple[Change, Person]]:
    """The changes that this page asks for, with who is behind each."""
    uids = [person.uid for person in people]
    users = {user.identity_uid: user for user in await User.filter(identity_uid__in=uids)}
    prepared = await find_prepared(people, users)
    planned = [(await plan(person, users, prepared), person) for person in people]
    return [(change, person) for change, person in planned if change is not None]


async def find_prepared(
    people: Sequence[Person], users: Mapping[str | None, User]
) -> Mapping[str | None, User]:
    """The accounts that wait for one of these, by their email."""
    keys = {verified_key(person) for person in people if person.uid not in users} - {None}
    waiting = await User.filter(email_key__in=list(keys), identity_uid=None) if keys else []
    return {user.email_key: user for user in waiting}


async def plan(
    person: Person, users: Mapping[str | None, User], prepared: Mapping[str | None, User]
) -> Change | None:
    new = Change(Action.CREATED, person.uid, person.email, None)
    user = users.get(person.uid)
    if user is None:
        key = verified_key(person)
        found = prepared.get(key) if key else None
        return replace(new, action=Action.JOINED, user_id=found.id) if found else new
    action = await differs(user, person)
    return replace(new, action=action, user_id=user.id) if action else None


async def differs(user: User, person: Person) -> Action | None:
    """The gravest of what differs. A deleted account is only an administrator's to change."""
    if user.status is UserStatus.DELETED:
        return None
    if person.disabled and user.status is UserStatus.ACTIVE:
        return Action.SUSPENDED
    if is_to_be_lifted(user, person):
        return Action.REACTIVATED
    if await is_waited_for(user, person):
        return Action.JOINED
    if user.email != fitting_email(person) or user.email_key != await free_key(person, holder=user):
        return Action.UPDATED
    return None


async def is_waited_for(user: User, person: Person) -> bool:
    """Whether an account was prepared for somebody who had this one, the email not yet verified."""
    key = verified_key(person)
    if key is None or key == user.email_key or person.disabled:
        return False
    prepared = await User.get_or_none(email_key=key, identity_uid=None)
    return prepared is not None and user.may_take_over(prepared)
