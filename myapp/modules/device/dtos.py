"""What goes over the wire about devices."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from myapp.database.device import Device, DevicePlatform
from myapp.faults import Fits

TOKEN_CHARACTERS = 4096


class NewDevice(BaseModel):
    """A device to push to. The token is what the push service gave to the app."""

    model_config = ConfigDict(extra="forbid")

    # Printable ASCII without spaces: whatever else it is, no push service has issued it.
    token: Annotated[
        str,
        Field(
            min_length=1,
            max_length=TOKEN_CHARACTERS,
            examples=["fGx2bQ:APA91bH-what-the-push-service-gave"],
        ),
        Fits(pattern=r"^[!-~]+$", otherwise="has spaces or other than printable ASCII"),
    ]
    platform: DevicePlatform


class DeviceResponse(BaseModel):
    """A device, without its token: who has that can push to it."""

    id: UUID
    platform: DevicePlatform
    created_at: datetime
    last_seen_at: datetime

    @classmethod
    def of(cls, device: Device) -> Self:
        return cls.model_construct(
            id=device.id,
            platform=device.platform,
            created_at=device.created_at,
            last_seen_at=device.last_seen_at,
        )
