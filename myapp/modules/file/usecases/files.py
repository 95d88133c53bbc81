"""A user's own files."""

from uuid import UUID

import structlog

from myapp.database.file import File, FileStatus
from myapp.database.paging import Rows, read_page
from myapp.errors import Conflict
from myapp.modules.file.removal import Removal
from myapp.outbox.writing import Outbox
from myapp.paging import PageQuery

NEWEST_FIRST = "-id"

log = structlog.get_logger()


class FileUsecase:
    """A user's own files. Somebody else's are not found."""

    def __init__(self, *, outbox: Outbox, removal: Removal) -> None:
        self._outbox = outbox
        self._removal = removal

    async def find(self, user_id: UUID, query: PageQuery) -> Rows[File]:
        """One page of them, the newest first."""
        return await read_page(
            File.of(user_id), sort=NEWEST_FIRST, page=query.page, per_page=query.per_page
        )

    async def get(self, user_id: UUID, file_id: UUID) -> File:
        """Raises NotFound."""
        return await File.get_own(file_id, user_id=user_id)

    async def get_ready(self, user_id: UUID, file_id: UUID) -> File:
        """A file that can be read. Raises NotFound, and Conflict for one that is pending."""
        file = await self.get(user_id, file_id)
        if file.status is not FileStatus.READY:
            raise Conflict("This file has not been completed")
        return file

    async def delete(self, user_id: UUID, file_id: UUID) -> None:
        """Removes a file, and its object as soon as storage is there. Raises NotFound."""
        stray = None
        async with self._outbox.transaction() as handover:
            file = await File.lock(file_id, user_id=user_id)
            if file.status is FileStatus.READY:
                stray = await self._removal.discard(file.key, handover)
            await file.delete()
        if stray:
            await self._removal.try_remove(stray)
        else:
            await self._removal.try_delete(file.key)
        log.info("file deleted", file_id=str(file_id))
