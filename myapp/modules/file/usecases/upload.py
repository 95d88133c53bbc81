"""Files that come through us."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import structlog

from myapp.database.base import new_id
from myapp.database.file import File, FileStatus, StrayObject
from myapp.database.user import User
from myapp.events import Event, FileReady
from myapp.modules.file.filename import clean_filename
from myapp.modules.file.removal import Removal
from myapp.outbox.writing import Outbox
from myapp.storage.base import Storage, StoredObject
from myapp.storage.content import limited, peek
from myapp.storage.kinds import judge

FILE_BYTES = 25 * 1024 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as its sender describes it: name and type may be anything, or wrong."""

    filename: str
    content_type: str | None
    chunks: AsyncIterator[bytes]


class UploadUsecase:
    """Stores files as they come."""

    def __init__(self, *, outbox: Outbox, removal: Removal, storage: Storage) -> None:
        self._outbox = outbox
        self._removal = removal
        self._storage = storage

    async def store(self, user_id: UUID, upload: Upload) -> File:
        """Raises TooLarge, Unavailable or Forbidden, or what reading raises.

        Then nothing is left.
        """
        head, chunks = await peek(limited(upload.chunks, FILE_BYTES))
        content_type = judge(head, upload.content_type)
        key = object_key(user_id)
        await StrayObject.reserve(key)
        try:
            stored = await self._storage.put(key, chunks, content_type=content_type)
            file = await self._record(user_id, clean_filename(upload.filename), stored)
        except BaseException:
            await self._removal.give_up(key)
            raise
        log.info("file stored", file_id=str(file.id), size=file.size, content_type=content_type)
        return file

    async def _record(self, user_id: UUID, filename: str, stored: StoredObject) -> File:
        file = File(
            user_id=user_id,
            filename=filename,
            content_type=stored.content_type,
            size=stored.size,
            sha256=stored.sha256,
            status=FileStatus.READY,
            key=stored.key,
        )
        async with self._outbox.transaction() as handover:
            # Long after the request was let in: its sender may be as slow as they like.
            await User.lock_active(user_id)
            await StrayObject.keep(stored.key)
            await file.save()
            handover.tell(Event.of(FileReady.model_validate(file), user_id=user_id))
        return file


def object_key(user_id: UUID) -> str:
    """A key that no signed URL can write to, for an object that is never replaced."""
    return f"files/{user_id}/{new_id().hex}"
