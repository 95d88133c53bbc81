"""What every entity has."""

from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model
from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7: ids made later sort later, so that indexes grow at their end."""
    return uuid7()


class Entity(Model):
    """A row with an id and its times, in UTC.

    `updated_at` follows `save()` only: a query's `update()` sets it itself.
    """

    id: Any = fields.UUIDField(primary_key=True, default=new_id)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        abstract = True
