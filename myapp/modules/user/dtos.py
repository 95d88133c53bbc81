"""What goes over the wire about accounts."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from myapp.database.user import EMAIL_CHARACTERS, User
from myapp.enums import UserRole, UserStatus
from myapp.paging import PRINTABLE, PageQuery
from myapp.storage.base import Storage

SETTABLE = (UserStatus.ACTIVE, UserStatus.SUSPENDED)
AVATAR_URL_LIFETIME = timedelta(days=1)  # a page that stays open for a day still shows it

AvatarUrl = Annotated[
    str | None,
    Field(
        description="Opens without credentials; expires.",
        examples=["/storage/avatars/…?expires=1767225600&signature=…"],
    ),
]


class UserResponse(BaseModel):
    """An account, as its owner and administrators see it."""

    id: UUID
    email: Annotated[str | None, Field(examples=["ada@example.com"])]
    name: Annotated[str | None, Field(examples=["Ada Lovelace"])]
    phone: Annotated[str | None, Field(examples=["+12015550123"])]
    avatar_url: AvatarUrl
    status: UserStatus
    role: UserRole
    created_at: datetime

    @classmethod
    async def of(cls, user: User, storage: Storage) -> Self:
        return cls.model_construct(
            id=user.id,
            email=user.email,
            name=user.name,
            phone=user.phone,
            avatar_url=await avatar_url(user, storage),
            status=user.status,
            role=user.role,
            created_at=user.created_at,
        )


class PublicProfile(BaseModel):
    """What every user may see of another."""

    id: UUID
    name: Annotated[str | None, Field(examples=["Ada Lovelace"])]
    avatar_url: AvatarUrl

    @classmethod
    async def of(cls, user: User, storage: Storage) -> Self:
        return cls(id=user.id, name=user.name, avatar_url=await avatar_url(user, storage))


class ProfileChanges(BaseModel):
    """What to change: a field that is left out stays as it is, and null clears it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str | None, Field(examples=["Ada Lovelace"])] = None
    phone: Annotated[str | None, Field(description="E.164", examples=["+12015550123"])] = None


def without_default(schema: dict[str, Any]) -> None:
    """A field that may be left out but is never null has no default to show."""
    schema.pop("default", None)


def check_settable(status: object) -> object:
    """An account is deleted and restored by requests of their own. Raises ValueError."""
    if status not in SETTABLE:
        raise ValueError(f"is none of {', '.join(SETTABLE)}")
    return status


class UserChanges(ProfileChanges):
    """What an administrator changes: a field that is left out stays as it is."""

    status: Annotated[
        UserStatus,
        BeforeValidator(check_settable),  # so that no message lists the others
        WithJsonSchema({"type": "string", "enum": [*SETTABLE]}),
    ] = None  # type: ignore[assignment]  # left out; null itself is refused
    role: Annotated[UserRole, Field(json_schema_extra=without_default)] = None  # type: ignore[assignment]  # the same


class UserQuery(PageQuery):
    """Which users, in which order. Deleted ones are found with their status or id alone."""

    q: Annotated[
        str,
        Field(
            description="A part of the email or the name, in any case, or an id.",
            max_length=EMAIL_CHARACTERS,
        ),
        PRINTABLE,
    ] = ""
    status: UserStatus | None = None
    role: UserRole | None = None
    sort: Literal["created_at", "-created_at", "email", "-email", "name", "-name"] = "-created_at"


async def avatar_url(user: User, storage: Storage) -> str | None:
    if user.avatar_key is None:
        return None
    return await storage.url(user.avatar_key, expires_in=AVATAR_URL_LIFETIME)
