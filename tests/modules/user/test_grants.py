"""Administrators by their email, where a sign-in comes between."""

from typing import Any

from myapp.audit import SYSTEM, record_change
from myapp.database.user import User
from myapp.enums import UserRole
from myapp.modules.user.usecases import AdministrationUsecase, GrantUsecase
from myapp.resources import Resources


async def test_granting_what_a_user_takes_over_meanwhile_grants_it_to_them(
    resources: Resources,
) -> None:
    """The account was prepared by an earlier grant, and its owner verifies the email now."""
    fields: dict[str, Any] = {"email": "ada@example.com"}
    ada = await User.create(identity_uid="ada", **fields)
    prepared = await User.create(email_key="ada@example.com", **fields)

    class Late(AdministrationUsecase):
        async def change(self, *arguments: Any) -> User:
            if await ada.take_over(prepared):
                ada.email_key = "ada@example.com"
                await ada.save()
            return await super().change(*arguments)

    late = Late(accounts=resources.accounts, outbox=resources.outbox, audit=record_change)
    grants = GrantUsecase(late, accounts=resources.accounts, audit=record_change)
    granted = await grants.grant("ada@example.com", SYSTEM)
    assert (granted.id, granted.role) == (ada.id, UserRole.ADMIN)
