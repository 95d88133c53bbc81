"""The end of deleted accounts."""

from datetime import UTC, datetime, timedelta

from myapp.database.user import User
from myapp.identity.accounts import Accounts
from myapp.storage.base import Storage

RESTORABLE = timedelta(days=30)
PURGE_BATCH = 200


class PurgeUsecase:
    """The end of deleted accounts, once they can no longer be restored."""

    def __init__(self, *, accounts: Accounts, storage: Storage) -> None:
        self._accounts = accounts
        self._storage = storage

    async def purge(self) -> int:
        """Removes the accounts deleted over 30 days ago; returns how many."""
        before = datetime.now(UTC) - RESTORABLE
        purged = 0
        while users := await User.deleted_before(before).limit(PURGE_BATCH):
            for user in users:
                purged += await self._remove(user, before)
        return purged

    async def _remove(self, user: User, before: datetime) -> int:
        # The picture goes first: without its row nobody would know of it.
        if user.avatar_key:
            await self._storage.delete(user.avatar_key)
        removed = await User.deleted_before(before).filter(id=user.id).delete()
        await self._accounts.announce(user.id)
        return 1 if removed else 0  # SQLite counts what goes with it too
