"""Sign-in: an identity that the provider vouches for becomes a user."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError

from myapp.audit import SYSTEM, Audit
from myapp.database.connection import transaction
from myapp.database.user import EMAIL_CHARACTERS, NAME_CHARACTERS, User, email_key
from myapp.enums import UserStatus
from myapp.errors import Unavailable
from myapp.events import Event, UserSuspended, UserUpdated
from myapp.identity.accounts import Accounts
from myapp.identity.base import Identity
from myapp.outbox.writing import Handover, Outbox

log = structlog.get_logger()

# Two sign-ins can meet at one email or one identity; the loser reads again what the winner wrote.
ATTEMPTS = 3


class SignIn:
    """Finds, joins or creates the user of an identity.

    Only a verified email counts. It joins an account that an administrator prepared and nobody
    has signed in to, also where the identity has a user by then, and it is unique: while another
    account holds it, it is shown and no more.
    """

    def __init__(self, *, accounts: Accounts, outbox: Outbox, audit: Audit) -> None:
        self._accounts = accounts
        self._outbox = outbox
        self._audit = audit

    async def resolve(self, identity: Identity) -> UUID:
        """The id of the identity's user, whatever the state of that account."""
        user = await User.by_identity(identity.uid)
        if user is None:
            user = await self._admit(identity)
        elif has_news(user, identity):
            await self._take_over_claims(user.id, identity)
        user_id: UUID = user.id
        return user_id

    async def _admit(self, identity: Identity) -> User:
        for _ in range(ATTEMPTS):
            try:
                return await self._join(identity) or await self._create(identity)
            except IntegrityError:
                if user := await User.by_identity(identity.uid):
                    return user
        raise Unavailable("Too many sign-ins at once with this email")

    async def _join(self, identity: Identity) -> User | None:
        """The account that was prepared for this email, now with its identity."""
        if (key := verified_key(identity)) is None:
            return None
        async with transaction():
            user = await User.filter(email_key=key, identity_uid=None).select_for_update().first()
            if user is None:
                return None
            user.identity_uid = identity.uid
            user.claims_at = identity.issued_at
            user.name = user.name or name_of(identity)
            await user.save()
        await self._accounts.announce(user.id)
        log.info("identity joined to a prepared account", user_id=str(user.id))
        return user

    async def _create(self, identity: Identity) -> User:
        user = await User.create(
            identity_uid=identity.uid,
            email=email_of(identity),
            email_key=await free_email_key(identity),
            name=name_of(identity),
            claims_at=identity.issued_at,
        )
        await self._accounts.announce(user.id)
        log.info("user created", user_id=str(user.id))
        return user

    async def _take_over_claims(self, user_id: UUID, identity: Identity) -> None:
        """Brings email and its verification in line with the newest token seen."""
        try:
            async with self._outbox.transaction() as handover:
                prepared = await User.lock_prepared(verified_key(identity), also=user_id)
                user = await User.filter(id=user_id).select_for_update().first()
                # A newer token, a deletion or the end of the account may have come between.
                if user is None or not has_news(user, identity):
                    return
                before = describe(user)
                if prepared is not None and not await user.take_over(prepared):
                    prepared = None
                user.email = email_of(identity)
                user.email_key = await free_email_key(identity, holder=user)
                user.claims_at = identity.issued_at
                await user.save()
                if prepared is not None:
                    await self._record_join(user, prepared, before, handover)
        except IntegrityError:
            # Another account took the email in this moment; the next sign-in sees that.
            log.info("email was taken meanwhile", user_id=str(user_id))
            return
        await self._accounts.announce(user_id)
        if prepared is not None:
            await self._accounts.announce(prepared.id)
            log.info("prepared account joined to a user", user_id=str(user_id))

    async def _record_join(
        self, user: User, prepared: User, before: Mapping[str, Any], handover: Handover
    ) -> None:
        """That the user has what was granted to an account which is no more."""
        await self._audit(
            SYSTEM,
            "user.joined",
            target_type="user",
            target_id=user.id,
            before=before,
            after={**describe(user), "prepared_id": str(prepared.id)},
        )
        handover.tell(Event.of(UserUpdated.model_validate(user), user_id=user.id))
        if user.status is UserStatus.SUSPENDED and before["status"] != user.status:
            handover.tell(Event.of(UserSuspended(id=user.id), user_id=user.id))


def has_news(user: User, identity: Identity) -> bool:
    """Whether this token says something of the email that a newer one has not overruled."""
    if user.status is UserStatus.DELETED or (
        user.claims_at and identity.issued_at <= user.claims_at
    ):
        return False
    return user.email != email_of(identity) or user.email_key != verified_key(identity)


def email_of(identity: Identity) -> str | None:
    """The identity's email. None if it is longer than an address may be: cut, it is another's."""
    return identity.email if identity.email and len(identity.email) <= EMAIL_CHARACTERS else None


def name_of(identity: Identity) -> str | None:
    return identity.name[:NAME_CHARACTERS] if identity.name else None


def verified_key(identity: Identity) -> str | None:
    """The identity's email as it is compared, if the provider has verified it."""
    email = email_of(identity)
    return email_key(email) if email and identity.email_verified else None


async def free_email_key(identity: Identity, *, holder: User | None = None) -> str | None:
    """The identity's email key, unless another account than `holder` has it."""
    key = verified_key(identity)
    if key is None:
        return None
    taken_by = await User.get_or_none(email_key=key)
    return key if taken_by is None or taken_by == holder else None


def describe(user: User) -> dict[str, Any]:
    """What the audit log may hold of a user."""
    return {
        "email_verified": user.email_key is not None,
        "role": user.role.value,
        "status": user.status.value,
        "suspended_by": user.suspended_by,
    }
