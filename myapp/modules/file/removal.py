"""The end of objects, whatever comes between."""

from datetime import UTC, datetime
from uuid import UUID

import structlog

from myapp.database.connection import transaction
from myapp.database.file import STRAY_AGE, File, FileStatus, StrayObject
from myapp.errors import Unavailable
from myapp.modules.file.tasks import OBJECT_REMOVE, RemovePayload
from myapp.outbox.writing import Handover
from myapp.queue.tasks import JobContext
from myapp.storage.base import Storage

BATCH = 200

log = structlog.get_logger()


class Removal:
    """Removes what no row points at: at once if it can, through the queue if it cannot."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def discard(self, key: str, handover: Handover) -> StrayObject:
        """In the transaction after which nothing points at the object."""
        (stray,) = await StrayObject.discard([key])
        handover.queue(OBJECT_REMOVE, RemovePayload(stray_id=stray.id))
        return stray

    async def try_remove(self, stray: StrayObject) -> None:
        """After that transaction, without waiting for the queue."""
        try:
            await self._remove(stray)
        except Unavailable:
            log.warning("object not removed yet", key=stray.key)

    async def give_up(self, key: str) -> None:
        """After a failure: removes the object of a reserved key, if it was not kept after all.

        Who is cancelled in a commit does not know how that ended. Without a reservation it was
        kept, or it took so long that the clean-up has been there.
        """
        try:
            if await StrayObject.give_up(key) or not await File.exists(key=key):
                await self._storage.delete(key)
        except Unavailable:
            log.warning("object not removed yet", key=key)

    async def try_delete(self, key: str) -> None:
        """Removes an object whose key is never kept: it may come again."""
        try:
            await self._storage.delete(key)
        except Unavailable:
            log.warning("object not removed yet", key=key)

    async def handle(self, _job: JobContext, payload: RemovePayload) -> None:
        """The handler of `object:remove`."""
        stray = await StrayObject.get_or_none(id=payload.stray_id)
        if stray:
            await self._remove(stray)

    async def remove_due(self) -> int:
        """Removes what is due; returns how many. Raises Unavailable."""
        removed = 0
        while strays := await StrayObject.due().order_by("due_at").limit(BATCH):
            for stray in strays:
                await self._remove(stray)
            removed += len(strays)
        return removed

    async def forget_files(self) -> int:
        """Removes pending files that nobody completed and files whose user is gone."""
        before = datetime.now(UTC) - STRAY_AGE
        # The key of a pending file is reserved since it was given out.
        forgotten = await File.abandoned(before).delete()
        while files := await File.ownerless().limit(BATCH):
            await self._forget(files)
            forgotten += len(files)
        return forgotten

    async def _forget(self, files: list[File]) -> None:
        ids: list[UUID] = [file.id for file in files]
        async with transaction():
            held = await File.filter(id__in=ids).select_for_update()
            await StrayObject.discard(file.key for file in held if file.status is FileStatus.READY)
            await File.filter(id__in=ids).delete()

    async def _remove(self, stray: StrayObject) -> None:
        await self._storage.delete(stray.key)
        await StrayObject.filter(id=stray.id).delete()
