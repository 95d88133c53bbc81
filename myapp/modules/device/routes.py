"""The routes of devices."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.middleware.auth import Auth
from myapp.modules.device import DeviceModule
from myapp.modules.device.controllers import DeviceController


def routes(module: DeviceModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("device", __name__)
    tag_routes(blueprint, "devices", "Where pushes go.")
    devices = DeviceController(module.devices)

    blueprint.post("/devices")(auth.required(devices.register_device))
    blueprint.get("/devices")(auth.required(devices.list_devices))
    blueprint.delete("/devices/<uuid:device_id>")(auth.required(devices.remove_device))
    return blueprint
