"""The routes of accounts."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.middleware.auth import Auth
from myapp.modules.user import UserModule
from myapp.modules.user.controllers import (
    AdministrationController,
    AvatarController,
    ProfileController,
)


def routes(module: UserModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("user", __name__)
    tag_routes(blueprint, "account", "The caller's own account, and what others see of it.")
    profile = ProfileController(module.profile, storage=module.storage)
    avatar = AvatarController(module.avatar, storage=module.storage)

    blueprint.get("/auth/me")(auth.required(profile.get_me))
    blueprint.put("/auth/me")(auth.required(profile.change_me))
    blueprint.delete("/auth/me")(auth.required(profile.delete_me))
    blueprint.put("/auth/me/avatar")(auth.required(avatar.replace_avatar))
    blueprint.delete("/auth/me/avatar")(auth.required(avatar.remove_avatar))
    blueprint.get("/users/<uuid:user_id>")(auth.required(profile.get_user))

    blueprint.register_blueprint(administration_routes(module, auth))
    return blueprint


def administration_routes(module: UserModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("administration", __name__, url_prefix="/admin/users")
    tag_routes(
        blueprint,
        "administration",
        "For administrators: everybody's accounts, the audit log, numbers.",
    )
    controller = AdministrationController(module.administration, storage=module.storage)

    blueprint.get("")(auth.admin(controller.list_users))
    blueprint.get("/<uuid:user_id>")(auth.admin(controller.get_account))
    blueprint.patch("/<uuid:user_id>")(auth.admin(controller.change_account))
    blueprint.delete("/<uuid:user_id>")(auth.admin(controller.delete_account))
    blueprint.post("/<uuid:user_id>/restore")(auth.admin(controller.restore_account))
    return blueprint
