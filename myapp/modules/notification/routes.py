"""The routes of notifications."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.database.api_key import Scope
from myapp.middleware.auth import Auth
from myapp.modules.notification import NotificationModule
from myapp.modules.notification.controllers import NotificationController


def routes(module: NotificationModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("notification", __name__)
    tag_routes(blueprint, "notifications", "The inbox, and what is sent to it.")
    controller = NotificationController(module.inbox, module.send)
    sender = auth.admin_or_key(Scope.NOTIFICATIONS_SEND)

    blueprint.post("/notifications")(sender(controller.send_notification))
    blueprint.get("/notifications")(auth.required(controller.list_notifications))
    blueprint.post("/notifications/read-all")(auth.required(controller.read_all_notifications))
    blueprint.post("/notifications/<uuid:notification_id>/read")(
        auth.required(controller.read_notification)
    )
    return blueprint
