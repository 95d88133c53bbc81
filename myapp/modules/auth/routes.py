"""The routes of sign-in."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.middleware.auth import Auth
from myapp.modules.auth import AuthModule
from myapp.modules.auth.controllers import AuthController


def routes(module: AuthModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("auth", __name__, url_prefix="/auth")
    tag_routes(blueprint, "auth", "Sign-in: identity tokens become users.")
    controller = AuthController(limits=auth.limits, storage=module.storage)
    blueprint.post("/verify")(controller.verify_token)
    return blueprint
