"""The route of the audit log."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.middleware.auth import Auth
from myapp.modules.audit import AuditModule
from myapp.modules.audit.controllers import AuditController


def routes(module: AuditModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("audit", __name__)
    tag_routes(blueprint, "administration")
    blueprint.get("/admin/audit-log")(auth.admin(AuditController(module.log).list_audit_records))
    return blueprint
