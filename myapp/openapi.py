"""The OpenAPI document and its page."""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from quart import Blueprint, Quart, Response, send_from_directory
from quart_schema import (
    APIKeySecurityScheme,
    HttpSecurityScheme,
    Info,
    QuartSchema,
    Tag,
    hide,
)
from quart_schema.openapi import OpenAPIProvider
from werkzeug.routing import BaseConverter, Rule, UUIDConverter

from myapp import __version__
from myapp.binding import OPERATION_ATTRIBUTE
from myapp.middleware.api_key import HEADER
from myapp.middleware.auth import API_KEY, BEARER
from myapp.response import Failure, json_response

ERRORS = {
    "400": "The request is malformed or breaks a rule",
    "401": "No credentials, or they are wrong, expired or revoked",
    "403": "The caller may not do this, or the account is suspended or deleted",
    "404": "Not found, or not yours to know of",
    "429": "Too many requests",
    "503": "Out of reach for the moment",
    "default": "Any other failure",
}
TAGS = (
    Tag("auth", "Sign-in: identity tokens become users."),
    Tag("account", "The caller's own account, and what others see of it."),
    Tag("administration", "For administrators: everybody's accounts, the audit log, numbers."),
    Tag("api keys", "For administrators: the keys of services."),
    Tag("jobs", "For administrators: queues, jobs, crons and workers."),
    Tag("devices", "Where pushes go."),
    Tag("notifications", "The inbox, and what is sent to it."),
    Tag("events", "Live events: streams, and sending."),
    Tag("files", "Stored objects, by signed URLs."),
    Tag("system", "Whether the service lives and is ready."),
)
# The page's own scripts and styles; Swagger UI styles elements inline and has data: images.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)
DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>myapp API</title>
  <link rel="icon" href="/docs/favicon-32x32.png">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
"""
DOCS_SCRIPT = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  validatorUrl: null,
});
"""


class Provider(OpenAPIProvider):
    """quart-schema's document with what it leaves out: errors, required bodies, named errors."""

    def schema(self) -> dict[str, Any]:
        document = super().schema()
        document["components"]["responses"] = {
            name: error_response(text) for name, text in error_components()
        }
        failure = Failure.model_json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        document["components"]["schemas"].update(failure.pop("$defs"))
        document["components"]["schemas"]["Failure"] = failure
        return document

    def generate_rules(self) -> Iterable[Rule]:
        return sorted(super().generate_rules(), key=lambda rule: rule.rule)

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        paths, components = super().build_paths(rule)
        handler = self._app.view_functions[rule.endpoint]
        for path, operations in paths.items():
            for operation in operations.values():
                operation.update(getattr(handler, OPERATION_ATTRIBUTE, {}))
                complete(operation, path)
        return paths, components

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        parameter = super().build_path_parameter(name, converter)
        if isinstance(converter, UUIDConverter):
            parameter["schema"]["format"] = "uuid"
        return parameter

    def build_request_body(self, *args: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        body, components = super().build_request_body(*args)
        return {"required": True, **body}, components

    def operation_id(self, method: str, path: str, func: Any) -> str:  # noqa: ARG002  # its shape
        return str(func.__name__)


def complete(operation: dict[str, Any], path: str) -> None:
    """Adds the errors that an operation of this kind can end in."""
    responses = {str(status): answer for status, answer in operation["responses"].items()}
    statuses = ["429", "503", "default"]
    if operation["parameters"] or "requestBody" in operation:
        statuses.append("400")
    if {} not in operation.get("security", [{}]):
        statuses += ["401", "403"]
    if "{" in path:
        statuses.append("404")
    for status in sorted(statuses):
        component = f"#/components/responses/{component_name(status)}"
        responses.setdefault(status, {"$ref": component})
    operation["responses"] = responses


def component_name(status: str) -> str:
    return f"Error{status.capitalize()}"


def error_components() -> Iterable[tuple[str, str]]:
    return ((component_name(status), text) for status, text in ERRORS.items())


def error_response(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Failure"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def document_api(app: Quart) -> None:
    """Serves `/openapi.json` and, on `/docs`, Swagger UI from our own origin."""
    schema = QuartSchema(
        openapi_path=None,
        info=Info("myapp", __version__, description="Accounts, and all that goes with them."),
        tags=list(TAGS),
        security_schemes={
            BEARER: HttpSecurityScheme(scheme="bearer", bearer_format="JWT"),
            API_KEY: APIKeySecurityScheme(in_="header", name=HEADER),
        },
        conversion_preference="pydantic",
        openapi_provider_class=Provider,
    )
    schema.init_app(app)
    app.register_blueprint(docs(app))


def openapi_document(app: Quart) -> dict[str, Any]:
    document: dict[str, Any] = app.extensions["QUART_SCHEMA"].openapi_provider.schema()
    return document


def docs(app: Quart) -> Blueprint:
    blueprint = Blueprint("docs", __name__)
    assets = Path(str(files("flask_swagger_ui"))) / "dist"

    @blueprint.get("/openapi.json")
    @hide
    async def openapi() -> Response:
        return json_response(app.json.dumps(openapi_document(app)).encode())

    @blueprint.get("/docs")
    @hide
    async def docs_page() -> Response:
        page = Response(DOCS_PAGE, content_type="text/html; charset=utf-8")
        page.headers["Content-Security-Policy"] = DOCS_POLICY
        return page

    @blueprint.get("/docs/start.js")
    @hide
    async def docs_script() -> Response:
        return Response(DOCS_SCRIPT, content_type="text/javascript; charset=utf-8")

    @blueprint.get("/docs/<path:name>")
    @hide
    async def docs_asset(name: str) -> Response:
        return await send_from_directory(assets, name, cache_timeout=3600)

    return blueprint
