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
from myapp.paging import PageQuery

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"


class AuditQuery(PageQuery):
    """Which records."""

    actor_id: Annotated[str | None, Field(max_length=ACTOR_CHARACTERS, pattern=PRINTABLE)] = None
    action: Annotated[
        str | None,
        Field(max_length=ACTION_CHARACTERS, pattern=PRINTABLE, examples=["user.suspended"]),
    ] = None
    target_id: Annotated[str | None, Field(max_length=TARGET_CHARACTERS, pattern=PRINTABLE)] = None


class AuditRecordResponse(BaseModel):
    """One change that somebody made."""

    id: UUID
    actor_type: ActorType
    actor_id: Annotated[
        str | None, Field(description="Of a user or a key; on a terminal the login name.")
    ]
    action: Annotated[str, Field(examples=["user.suspended"])]
    target_type: Annotated[str, Field(examples=["user"])]
    target_id: str
    before: Annotated[dict[str, Any] | None, Field(description="What changed, as it was.")]
    after: Annotated[dict[str, Any] | None, Field(description="What changed, as it is now.")]
    request_id: str | None
    address: str | None
    created_at: datetime

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        return cls.model_construct(**{name: getattr(record, name) for name in cls.model_fields})
