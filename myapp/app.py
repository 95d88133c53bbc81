"""The HTTP application: middleware, the features' routes, and what belongs to no feature."""

import json
from importlib import import_module
from typing import Annotated, Literal

from pydantic import BaseModel, Field
from quart import Blueprint, Response
from quart_schema import document_response

from myapp.application import Application
from myapp.binding import tag_routes
from myapp.config import Settings
from myapp.health import Health
from myapp.middleware.auth import Auth
from myapp.middleware.cors import allow_origins
from myapp.middleware.headers import secure_headers
from myapp.middleware.logger import log_requests
from myapp.middleware.metrics import HttpMetrics, measure_requests
from myapp.middleware.recovery import recover_from_errors
from myapp.modules.api_key import ApiKeyModule
from myapp.modules.auth import AuthModule
from myapp.modules.stats import StatsModule
from myapp.openapi import document_api
from myapp.registry import Features
from myapp.response import json_response

BODY_BYTES = 1024 * 1024  # what a body of JSON may have; routes that take files say more
BODY_SECONDS = 30.0


def create_app(settings: Settings, features: Features, health: Health) -> Application:
    """The application, ready to serve. What it needs is open already, and stays the caller's."""
    app = Application("myapp")
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES, BODY_TIMEOUT=BODY_SECONDS)
    # A redirect for a slash too many would be an answer outside the envelope.
    app.url_map.merge_slashes = False

    secure_headers(app, strict_transport=settings.production)
    log_requests(app)
    measure_requests(app, HttpMetrics(features.get(StatsModule).metrics))
    recover_from_errors(app)
    allow_origins(app, settings.cors_allowed_origins)
    document_api(app)

    sign_in = features.get(AuthModule)
    keys = features.get(ApiKeyModule).keys
    auth = Auth(sign_in.authenticator, keys, sign_in.rate_limits)
    auth.limits.limit_strangers(app)
    for feature, module in features.modules:
        routes = import_module(f"{feature.__name__}.routes").routes
        app.register_blueprint(routes(module, auth))
    app.register_blueprint(system_routes(health))
    return app


class Alive(BaseModel):
    """The process lives."""

    status: Literal["ok"]


Checks = dict[str, Literal["ok", "unavailable", "stopping"]]
CHECKED = ("database", "redis", "migrations")


class ReadinessReport(BaseModel):
    """What this process needs, and that it answers."""

    status: Literal["ready"]
    checks: Annotated[Checks, Field(examples=[dict.fromkeys(CHECKED, "ok")])]


class UnreadinessReport(BaseModel):
    """What this process needs, and what of it does not answer. `process` says that it stops."""

    status: Literal["unavailable"]
    checks: Annotated[
        Checks, Field(examples=[dict.fromkeys(CHECKED, "ok") | {"redis": "unavailable"}])
    ]


def system_routes(health: Health) -> Blueprint:
    blueprint = Blueprint("system", __name__)
    tag_routes(blueprint, "system", "Whether the service lives and is ready.")

    @blueprint.get("/health")
    @document_response(Alive)
    async def get_health() -> Response:
        """Whether the process lives."""
        return json_response(b'{"status":"ok"}')

    @blueprint.get("/ready")
    @document_response(ReadinessReport)
    @document_response(UnreadinessReport, 503)
    async def get_ready() -> Response:
        """Whether the process can do its work.

        503 while a part is out of reach, and as soon as a shutdown has begun: `checks` says which.
        """
        readiness = await health.readiness()
        body = json.dumps(readiness.as_dict()).encode()
        return json_response(body, 200 if readiness.ready else 503)

    return blueprint
