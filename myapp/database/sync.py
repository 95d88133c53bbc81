"""How far a sync has come, so that one that died is taken up where it was."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from myapp.database.fields import KeyField


class SyncProgress(Model):
    """One sync under way, by its name. It is gone when the sync is complete.

    `page_token` is where the provider's list goes on, `after` the last of our own users who was
    asked for; the list comes first.
    """

    name = KeyField(32, primary_key=True)
    page_token: Any = fields.TextField(null=True)
    after: Any = fields.UUIDField(null=True)
    listed = fields.BooleanField(default=False)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "sync_progress"
