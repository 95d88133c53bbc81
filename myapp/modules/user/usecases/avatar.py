"""People's pictures."""

from collections.abc import AsyncIterator
from uuid import UUID

import structlog

from myapp.database.base import new_id
from myapp.database.file import StrayObject
from myapp.database.user import User
from myapp.errors import Unavailable, UnsupportedMedia
from myapp.events import Event, UserUpdated
from myapp.identity.accounts import Accounts
from myapp.outbox.writing import Outbox
from myapp.storage.base import Storage
from myapp.storage.content import image_type, limited, peek

log = structlog.get_logger()

AVATAR_BYTES = 5 * 1024 * 1024


class AvatarUsecase:
    """People's pictures, kept in storage."""

    def __init__(self, *, accounts: Accounts, outbox: Outbox, storage: Storage) -> None:
        self._accounts = accounts
        self._outbox = outbox
        self._storage = storage

    async def replace(self, user_id: UUID, chunks: AsyncIterator[bytes]) -> User:
        """Stores a new picture. Raises UnsupportedMedia, TooLarge, Unavailable or Forbidden."""
        head, chunks = await peek(limited(chunks, AVATAR_BYTES))
        content_type = image_type(head)
        if content_type is None:
            raise UnsupportedMedia("The picture has to be a PNG, JPEG, GIF or WebP")
        # Each picture has a key of its own: a URL never shows another picture than it did.
        key = f"avatars/{user_id}/{new_id().hex}"
        await StrayObject.reserve(key)
        try:
            await self._storage.put(key, chunks, content_type=content_type)
            return await self._point_at(key, user_id)
        except BaseException:
            await self._give_up(key)
            raise

    async def remove(self, user_id: UUID) -> None:
        """Goes back to no picture; that there was none is no error. Raises Forbidden."""
        await self._point_at(None, user_id)

    async def _point_at(self, key: str | None, user_id: UUID) -> User:
        async with self._outbox.transaction() as handover:
            user = await User.lock_active(user_id)
            replaced, user.avatar_key = user.avatar_key, key
            if key is not None:
                await StrayObject.keep(key)
            strays = await StrayObject.discard([replaced] if replaced else [])
            await user.save()
            handover.tell(Event.of(UserUpdated.model_validate(user), user_id=user_id))
        await self._accounts.announce(user_id)
        for stray in strays:
            await self._remove(stray)
        return user

    async def _remove(self, stray: StrayObject) -> None:
        """Without waiting for the hourly clean-up, which does it where storage is away."""
        try:
            await self._storage.delete(stray.key)
            await StrayObject.filter(id=stray.id).delete()
        except Unavailable:
            log.warning("picture not removed yet", key=stray.key)

    async def _give_up(self, key: str) -> None:
        """After a failure; who is cancelled in a commit does not know how that ended."""
        try:
            if await StrayObject.give_up(key) or not await User.exists(avatar_key=key):
                await self._storage.delete(key)
        except Unavailable:
            log.warning("picture not removed yet", key=key)
