"""HTTP about devices."""

from uuid import UUID

from myapp.binding import gives, gives_nothing, gives_page, queries, takes
from myapp.middleware.auth import principal
from myapp.modules.device.dtos import DeviceResponse, NewDevice
from myapp.modules.device.usecases import DeviceUsecase
from myapp.paging import PageQuery
from myapp.response import Page


class DeviceController:
    """The caller's devices."""

    def __init__(self, devices: DeviceUsecase) -> None:
        self._devices = devices

    @takes(NewDevice)
    @gives(DeviceResponse, status=201)
    async def register_device(self, new: NewDevice) -> DeviceResponse:
        """Register a device to push to.

        Call it at each start of the app: a device that is not seen for 270 days is forgotten. A
        token that another user had registered is yours from now on, and no longer theirs.
        """
        return DeviceResponse.of(await self._devices.register(principal().user.id, new))

    @queries(PageQuery)
    @gives_page(DeviceResponse)
    async def list_devices(self, query: PageQuery) -> Page[DeviceResponse]:
        """Your devices, the oldest first."""
        found = await self._devices.find(principal().user.id, query)
        return Page(
            items=[DeviceResponse.of(each) for each in found.rows],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
        )

    @gives_nothing
    async def remove_device(self, device_id: UUID) -> None:
        """Push to one of your devices no more."""
        await self._devices.remove(principal().user.id, device_id)
