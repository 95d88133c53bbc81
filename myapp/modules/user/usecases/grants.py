"""Administrators by their email, for who sits at the machine itself."""

from tortoise.exceptions import IntegrityError

from myapp.audit import Actor, Audit
from myapp.database.connection import transaction
from myapp.database.user import User, email_key
from myapp.enums import UserRole
from myapp.errors import NotFound, Unavailable
from myapp.identity.accounts import Accounts
from myapp.modules.user.dtos import UserChanges
from myapp.modules.user.usecases.administration import AdministrationUsecase, describe
from myapp.modules.user.validators import EMAIL_RULES

ATTEMPTS = 3  # a sign-in with this very email may come between


class GrantUsecase:
    """Grants and revokes the role. Only a verified email names somebody who is granted it."""

    def __init__(
        self, administration: AdministrationUsecase, *, accounts: Accounts, audit: Audit
    ) -> None:
        self._administration = administration
        self._accounts = accounts
        self._audit = audit

    async def find(self) -> list[User]:
        """All administrators, whatever their status, the oldest first."""
        return await User.filter(role=UserRole.ADMIN).order_by("created_at", "id")

    async def grant(self, email: str, actor: Actor) -> User:
        """Makes the holder of this email an administrator.

        Without a holder an account is prepared, which the first sign-in with this email, verified,
        joins. Raises Invalid.
        """
        await EMAIL_RULES.check(email)
        promotion = UserChanges(role=UserRole.ADMIN)
        for _ in range(ATTEMPTS):
            try:
                if user := await User.by_email(email):
                    return await self._administration.change(user.id, promotion, actor)
                return await self._prepare(email.strip(), actor)
            except (IntegrityError, NotFound):  # it was just prepared, or just joined and removed
                continue
        raise Unavailable("Too many sign-ins at once with this email")

    async def revoke(self, email: str, actor: Actor) -> list[User]:
        """Makes every administrator with this email, verified or not, a user; returns them.

        Raises NotFound when there is none, and Conflict for the last active administrator.
        """
        key = email_key(email)
        holders = [user for user in await self.find() if email_key(user.email or "") == key]
        if not holders:
            raise NotFound(f"There is no administrator {email}")
        demotion = UserChanges(role=UserRole.USER)
        return [await self._administration.change(user.id, demotion, actor) for user in holders]

    async def _prepare(self, email: str, actor: Actor) -> User:
        async with transaction():
            user = await User.create(email=email, email_key=email_key(email), role=UserRole.ADMIN)
            await self._audit(
                actor,
                "user.created",
                target_type="user",
                target_id=user.id,
                after={"email": email, **describe(user)},
            )
        await self._accounts.announce(user.id)
        return user
