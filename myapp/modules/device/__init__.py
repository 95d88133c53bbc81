"""Devices: where pushes go."""

from dataclasses import dataclass

from myapp.module import Module
from myapp.modules.device.usecases import DeviceUsecase
from myapp.resources import Resources


@dataclass(frozen=True, kw_only=True)
class DeviceModule(Module):
    devices: DeviceUsecase


def init(_resources: Resources) -> DeviceModule:
    """Builds the usecases of devices; the hourly clean-up removes stale ones."""
    devices = DeviceUsecase()
    return DeviceModule(devices=devices, cleanups={"devices": devices.remove_stale})
