"""What can be done with devices."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError

from myapp.database.connection import transaction
from myapp.database.device import Device, DevicePlatform, hash_token
from myapp.database.paging import Rows, read_page
from myapp.database.user import User
from myapp.errors import NotFound, Unavailable
from myapp.modules.device.dtos import NewDevice
from myapp.paging import PageQuery

log = structlog.get_logger()

STALE = timedelta(days=270)  # FCM itself drops tokens that were not used for so long
BATCH = 500
ATTEMPTS = 3


class DeviceUsecase:
    """A user's devices. A token belongs to one user at a time: the last who registered it."""

    async def register(self, user_id: UUID, new: NewDevice) -> Device:
        """The device of this token, seen now. Another user's registration of it ends.

        Raises Forbidden and Unavailable.
        """
        for _ in range(ATTEMPTS):
            try:
                return await self._register(user_id, new)
            except IntegrityError:
                continue  # Somebody registered the token in this moment: now it is there.
        raise Unavailable("Too many registrations of this token at once")

    async def find(self, user_id: UUID, query: PageQuery) -> Rows[Device]:
        """One page of a user's devices, the oldest first."""
        return await read_page(
            Device.of(user_id), sort="id", page=query.page, per_page=query.per_page
        )

    async def remove(self, user_id: UUID, device_id: UUID) -> None:
        """Pushes there no more. Raises NotFound."""
        if not await Device.of(user_id).filter(id=device_id).delete():
            raise NotFound("There is no such device")

    async def remove_stale(self) -> int:
        """Removes devices whose apps have not registered for 270 days; returns how many."""
        before = datetime.now(UTC) - STALE
        removed = 0
        while ids := await Device.not_seen_since(before).limit(BATCH).values_list("id", flat=True):
            removed += await Device.not_seen_since(before).filter(id__in=ids).delete()
        return removed

    async def _register(self, user_id: UUID, new: NewDevice) -> Device:
        now, token_hash = datetime.now(UTC), hash_token(new.token)
        async with transaction():
            await User.lock_active(user_id)
            device = await Device.filter(token_hash=token_hash).select_for_update().first()
            if device is not None and device.user_id == user_id:
                return await see(device, new.platform, at=now)
            if device is not None:
                # A new row with a new id: nothing that is known of the old one leads to it.
                await device.delete()
                log.info("device moved", user_id=str(user_id))
            return await Device.create(
                user_id=user_id,
                token=new.token,
                token_hash=token_hash,
                platform=new.platform,
                last_seen_at=now,
            )


async def see(device: Device, platform: DevicePlatform, *, at: datetime) -> Device:
    device.platform, device.last_seen_at = platform, at
    await device.save()
    return device
