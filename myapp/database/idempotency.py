"""Requests that may be sent again: what was asked under which key, and what was answered."""

from datetime import datetime
from typing import Any

from tortoise import fields

from myapp.database.base import Entity
from myapp.database.fields import KeyField


class IdempotentRequest(Entity):
    """One key of one caller on one route.

    Key and request are kept as SHA-256. `answer` is null while the request is under way, and then
    `held_until` says from when on it counts as dead; `holder` is the one attempt that may answer.
    """

    caller = KeyField(64)
    route = KeyField(64)
    key_hash = KeyField(64)
    request_hash = KeyField(64)
    holder: Any = fields.UUIDField()
    held_until = fields.DatetimeField()
    answer: Any = fields.JSONField(null=True)
    began_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "idempotent_requests"
        unique_together = (("caller", "route", "key_hash"),)

    def is_under_way(self, *, at: datetime) -> bool:
        return self.answer is None and self.held_until > at
