"""Files that their owner sends to storage, without us in between."""

from datetime import timedelta
from uuid import UUID

import structlog

from myapp.database.base import new_id
from myapp.database.connection import transaction
from myapp.database.file import File, FileStatus, StrayObject
from myapp.database.user import User
from myapp.errors import Conflict, NotFound, TooLarge
from myapp.events import Event, FileReady
from myapp.modules.file.dtos import NewUpload
from myapp.modules.file.filename import clean_filename
from myapp.modules.file.removal import Removal
from myapp.modules.file.usecases.upload import FILE_BYTES, object_key
from myapp.outbox.writing import Outbox
from myapp.storage.base import ByteRange, SignedRequest, Storage, StoredObject
from myapp.storage.content import HEAD_BYTES
from myapp.storage.kinds import agrees

UPLOAD_LIFETIME = timedelta(hours=1)  # twice that is still far from the day that a key is reserved

log = structlog.get_logger()


class DirectUploadUsecase:
    """Two steps: a signed request, and a look at what it has brought."""

    def __init__(self, *, outbox: Outbox, removal: Removal, storage: Storage) -> None:
        self._outbox = outbox
        self._removal = removal
        self._storage = storage

    async def begin(self, user_id: UUID, new: NewUpload) -> tuple[File, SignedRequest]:
        """A pending file, and the request that stores its bytes. Raises TooLarge or Forbidden."""
        if new.size > FILE_BYTES:
            raise TooLarge(f"At most {FILE_BYTES:,} bytes are taken here")
        file = File(
            user_id=user_id,
            filename=clean_filename(new.filename),
            content_type=new.content_type,
            size=new.size,
            status=FileStatus.PENDING,
            key=f"uploads/{new_id().hex}",
        )
        request = await self._storage.upload_url(
            file.key, content_type=file.content_type, size=file.size, expires_in=UPLOAD_LIFETIME
        )
        async with transaction():
            await User.lock_active(user_id)
            # Never kept: whatever is sent to this key, before or after, is removed in a day.
            await StrayObject.reserve(file.key)
            await file.save()
        return file, request

    async def complete(self, user_id: UUID, file_id: UUID) -> File:
        """Takes over what was sent, if it is what was announced; a ready file stays as it is.

        Raises NotFound, Forbidden, and Conflict when nothing has come, or something else.
        """
        file = await File.get_own(file_id, user_id=user_id)
        if file.status is FileStatus.READY:
            return file
        key = object_key(user_id)
        await StrayObject.reserve(key)
        try:
            # It is judged where no signed URL can change it any more.
            stored = await self._storage.copy(file.key, key, content_type=file.content_type)
            await self._check(file, stored)
            completed = await self._finish(file, stored)
        except BaseException as error:
            await self._removal.give_up(key)
            if isinstance(error, NotFound):
                return await self._find_completed(user_id, file_id)
            raise
        if completed.key == key:
            await self._removal.try_delete(file.key)
        else:
            await self._removal.give_up(key)  # somebody else has completed it meanwhile
        return completed

    async def _check(self, file: File, stored: StoredObject) -> None:
        """Raises Conflict for an object that is not what was announced."""
        if stored.size != file.size:
            raise Conflict(f"{stored.size:,} bytes were sent, and {file.size:,} announced")
        async with self._storage.open(stored.key) as found:
            part = ByteRange(0, min(HEAD_BYTES, stored.size))
            head = b"".join([block async for block in found.read(part)])
        if not agrees(head, file.content_type):
            raise Conflict(f"What was sent is not {file.content_type}")

    async def _finish(self, pending: File, stored: StoredObject) -> File:
        """Points the file at its object, unless it points at one by now.

        Raises NotFound and Forbidden.
        """
        async with self._outbox.transaction() as handover:
            await User.lock_active(pending.user_id)
            file = await File.lock(pending.id, user_id=pending.user_id)
            if file.status is FileStatus.READY:
                return file
            await StrayObject.keep(stored.key)
            file.status, file.key, file.sha256 = FileStatus.READY, stored.key, stored.sha256
            await file.save()
            handover.tell(Event.of(FileReady.model_validate(file), user_id=file.user_id))
        log.info("file completed", file_id=str(file.id), size=file.size)
        return file

    async def _find_completed(self, user_id: UUID, file_id: UUID) -> File:
        """When what was sent is gone: the file as somebody else has completed it meanwhile."""
        file = await File.get_own(file_id, user_id=user_id)
        if file.status is not FileStatus.READY:
            raise Conflict("Nothing has been sent yet")
        return file
