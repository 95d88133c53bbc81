"""The routes of live events."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.database.api_key import Scope
from myapp.middleware.auth import Auth
from myapp.middleware.rate_limit import limit_tickets
from myapp.modules.event import EventModule
from myapp.modules.event.controllers import PublishController, StreamController
from myapp.modules.event.page import get_page


def routes(module: EventModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("event", __name__)
    tag_routes(blueprint, "events", "Live events: streams, and sending.")
    streams = StreamController(module.streams)
    publishing = PublishController(module.publishing)
    may_publish = auth.admin_or_key(Scope.EVENTS_PUBLISH)

    blueprint.get("/events")(auth.optional(streams.stream_events))
    blueprint.post("/events/ticket")(auth.required(limit_tickets(streams.issue_ticket)))
    blueprint.post("/events")(may_publish(publishing.publish_event))
    blueprint.get("/admin/events")(auth.admin(streams.stream_all_events))
    if module.has_page:
        blueprint.get("/")(get_page)
    return blueprint
