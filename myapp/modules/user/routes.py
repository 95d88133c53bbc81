"""The routes of accounts."""

from quart import Blueprint
from quart_schema import tag_blueprint

from myapp.middleware.auth import Auth
from myapp.modules.user import UserModule
from myapp.modules.user.controllers import (
    AdministrationController,
    AvatarController,
    ProfileController,
)


def routes(module: UserModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("user", __name__)
    tag_blueprint(blueprint, ["account"])
    profile = ProfileController(module.profile, storage=module.storage)
    avatar = AvatarController(module.avatar, storage=module.storage)

    blueprint.get("/auth/me")(auth.required(profile.get_me))
    blueprint.put("/auth/me")(auth.required(profile.change_me))
    blueprint.delete("/auth/me")(auth.required(profile.delete_me))
    blueprint.put("/auth/me/avatar")(auth.required(avatar.replace_avatar))
    blueprint.delete("/auth/me/avatar")(auth.required(avatar.remove_avatar))
    blueprint.get("/users/<uuid:user_id>")(auth.required(profile.get_user))

    administration = AdministrationController(module.administration, storage=module.storage)
    blueprint.get("/admin/users")(auth.admin(administration.list_users))
    blueprint.get("/admin/users/<uuid:user_id>")(auth.admin(administration.get_account))
    blueprint.patch("/admin/users/<uuid:user_id>")(auth.admin(administration.change_account))
    blueprint.delete("/admin/users/<uuid:user_id>")(auth.admin(administration.delete_account))
    blueprint.post("/admin/users/<uuid:user_id>/restore")(
        auth.admin(administration.restore_account)
    )
    return blueprint
