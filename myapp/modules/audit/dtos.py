"""What goes over the wire about the audit log."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from myapp.database.audit import (
    ACTION_CHARACTERS,
    ACTOR_CHARACTERS,
    TARGET_CHARACTERS,
    ActorType,
    AuditRecord,
)
from myapp.paging import PRINTABLE, PageQuery

EXAMPLE_ID = "0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e01"
EXAMPLE_REQUEST = "b1c5d2f04a9e4c6f8a7b3d1e5f902c64"


class AuditQuery(PageQuery):
    """Which records."""

    actor_id: Annotated[str, Field(max_length=ACTOR_CHARACTERS), PRINTABLE] | None = None
    action: Annotated[
        Annotated[str, Field(max_length=ACTION_CHARACTERS), PRINTABLE] | None,
        Field(examples=["user.suspended"]),
    ] = None
    target_id: Annotated[str, Field(max_length=TARGET_CHARACTERS), PRINTABLE] | None = None


class AuditRecordResponse(BaseModel):
    """One change that somebody made."""

    id: UUID
    actor_type: ActorType
    actor_id: Annotated[
        str | None,
        Field(
            description="Of a user or a key; on a terminal the login name.",
            examples=[EXAMPLE_ID],
        ),
    ]
    action: Annotated[str, Field(examples=["user.suspended"])]
    target_type: Annotated[str, Field(examples=["user"])]
    target_id: Annotated[str, Field(examples=[EXAMPLE_ID])]
    before: Annotated[
        dict[str, Any] | None,
        Field(description="What changed, as it was.", examples=[{"status": "active"}]),
    ]
    after: Annotated[
        dict[str, Any] | None,
        Field(description="What changed, as it is now.", examples=[{"status": "suspended"}]),
    ]
    request_id: Annotated[str | None, Field(examples=[EXAMPLE_REQUEST])]
    address: Annotated[str | None, Field(examples=["203.0.113.7"])]
    created_at: datetime

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        return cls.model_construct(**{name: getattr(record, name) for name in cls.model_fields})
