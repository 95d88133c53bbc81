"""Accounts and what names them, as messages have them."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.errors import FieldError, Invalid
from myapp.grpc.generated.account_pb2 import Account, AccountRole, AccountStatus
from myapp.modules.user.dtos import avatar_url
from myapp.storage.base import Storage

STATUSES = {
    UserStatus.ACTIVE: AccountStatus.ACCOUNT_STATUS_ACTIVE,
    UserStatus.SUSPENDED: AccountStatus.ACCOUNT_STATUS_SUSPENDED,
    UserStatus.DELETED: AccountStatus.ACCOUNT_STATUS_DELETED,
}
ROLES = {
    UserRole.USER: AccountRole.ACCOUNT_ROLE_USER,
    UserRole.ADMIN: AccountRole.ACCOUNT_ROLE_ADMIN,
}
Settable = Literal[UserStatus.ACTIVE, UserStatus.SUSPENDED]
SETTABLE: dict[AccountStatus, Settable] = {  # deleting and restoring are not about this alone
    AccountStatus.ACCOUNT_STATUS_ACTIVE: UserStatus.ACTIVE,
    AccountStatus.ACCOUNT_STATUS_SUSPENDED: UserStatus.SUSPENDED,
}


async def to_account(user: User, storage: Storage) -> Account:
    """The account as a message, with a URL of its picture that expires."""
    return Account(
        id=str(user.id),
        email=user.email,
        name=user.name,
        phone=user.phone,
        avatar_url=await avatar_url(user, storage),
        status=STATUSES[user.status],
        role=ROLES[user.role],
        created_at=user.created_at,
    )


def parse_id(text: str, *, field: str = "id") -> UUID:
    """Raises Invalid for what is not written as ids are: `UUID` itself takes braces and more."""
    try:
        parsed = UUID(text)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != text.lower():
        fault = FieldError(field, "is no account id, which is a UUID")
        raise Invalid("The id is not valid", details=[fault])
    return parsed


def parse_ids(texts: Sequence[str]) -> list[UUID]:
    """Raises Invalid with the first one that is no id."""
    return [parse_id(text, field=f"ids[{number}]") for number, text in enumerate(texts)]


def parse_settable(status: AccountStatus) -> Settable:
    """Raises Invalid for a status that an update cannot set."""
    if status not in SETTABLE:
        fault = FieldError("status", "is neither active nor suspended")
        raise Invalid("The status is not valid", details=[fault])
    return SETTABLE[status]
