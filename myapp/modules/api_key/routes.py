"""The routes of API keys."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.middleware.auth import Auth
from myapp.modules.api_key import ApiKeyModule
from myapp.modules.api_key.controllers import ApiKeyController


def routes(module: ApiKeyModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("api_key", __name__, url_prefix="/admin/api-keys")
    tag_routes(blueprint, "api keys", "For administrators: the keys of services.")
    keys = ApiKeyController(module.administration)

    blueprint.get("")(auth.admin(keys.list_api_keys))
    blueprint.post("")(auth.admin(keys.create_api_key))
    blueprint.delete("/<uuid:key_id>")(auth.admin(keys.revoke_api_key))
    blueprint.post("/<uuid:key_id>/rotate")(auth.admin(keys.rotate_api_key))
    return blueprint
