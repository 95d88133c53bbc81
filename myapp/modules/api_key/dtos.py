"""What goes over the wire about API keys."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from myapp.database.api_key import NAME_CHARACTERS, ApiKey, Scope
from myapp.identity.key_format import PREFIX
from myapp.moments import Moment
from myapp.paging import PRINTABLE, PageQuery

DAY = 86_400
DEFAULT_OVERLAP = 600


class ApiKeyResponse(BaseModel):
    """An API key, without the key itself."""

    id: UUID
    name: Annotated[str, Field(examples=["billing"])]
    prefix: Annotated[
        str, Field(description="How the key begins.", examples=["myapp_4fJ0xQ8sK2aB"])
    ]
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: Annotated[datetime | None, Field(examples=[None])]
    last_used_at: Annotated[datetime | None, Field(description="To the minute.")]

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls.model_construct(
            id=key.id,
            name=key.name,
            prefix=PREFIX + key.public_id,
            scopes=[Scope(scope) for scope in key.scopes],
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


class IssuedKey(ApiKeyResponse):
    """An API key with the key itself, which nobody can see again."""

    key: Annotated[str, Field(description="Shown this once.", examples=["myapp_4fJ0xQ8sK2aB_…"])]

    @classmethod
    def with_text(cls, key: ApiKey, text: str) -> Self:
        return cls.model_construct(**ApiKeyResponse.of(key).__dict__, key=text)


class NewApiKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(examples=["billing"])]
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_at: Annotated[Moment | None, Field(description="Never, if left out.")] = None


class ApiKeyQuery(PageQuery):
    """Which keys."""

    q: Annotated[
        str,
        Field(
            description=(
                "A part of the name, whatever the case of its ASCII letters, or an id, or how the"
                " key begins."
            ),
            max_length=NAME_CHARACTERS,
            examples=["billing"],
        ),
        PRINTABLE,
    ] = ""


class KeyRotation(BaseModel):
    """How to replace a key's secret."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlap_seconds: Annotated[
        int, Field(ge=0, le=DAY, description="How much longer the old key works.")
    ] = DEFAULT_OVERLAP
