"""The OpenAPI document and its page."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from quart import Blueprint, Quart, Response, request, send_from_directory
from quart_schema import (
    APIKeySecurityScheme,
    HttpSecurityScheme,
    Info,
    QuartSchema,
    hide,
)
from quart_schema.openapi import OpenAPIProvider
from werkzeug.routing import BaseConverter, Rule, UUIDConverter

from myapp import __version__
from myapp.binding import OPERATION_ATTRIBUTE, REFUSALS_ATTRIBUTE, TAG_ATTRIBUTE
from myapp.errors import AppError, Invalid, NotFound
from myapp.http_dates import has_odd_date
from myapp.middleware.api_key import HEADER
from myapp.middleware.auth import API_KEY, BEARER
from myapp.middleware.rate_limit import UNLIMITED_PATHS
from myapp.openapi_examples import JSON, add_examples, example_of
from myapp.response import STATUS, Failure, json_response

ERRORS = {
    "400": "The request is malformed or breaks a rule",
    "401": "No credentials, or they are wrong, expired or revoked",
    "403": "The caller may not do this, or the account is suspended or deleted",
    "404": "Not found, or not yours to know of",
    "409": "It does not fit the present state of what it names",
    "413": "More bytes than this route takes",
    "415": "Content of a type that this route does not take",
    "429": "Too many requests",
    "503": "Out of reach for the moment",
    "default": "Any other failure",
}
DESCRIPTIONS = {
    "200": "What was asked for",
    "201": "What was created",
    "202": "What was accepted",
    **ERRORS,
}
ABOUT = """Accounts, and all that goes with them.

Every answer is `{"success": true, "data": …}`, lists with a `meta` besides, or
`{"success": false, "error": …, "code": …, "details": […], "request_id": …}`: `code` is for
programs, `error` for people. Send your own `X-Request-ID` (1 to 128 of `A-Za-z0-9._-`) to find a
request again in the logs. Times are RFC 3339 in UTC. A 429 and a 503 say in `Retry-After` when to
come back.

A user sends `Authorization: Bearer TOKEN`, an identity token; a service sends `X-API-Key: KEY`.
"""
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
DOCS_ASSETS = frozenset({"favicon-32x32.png", "swagger-ui.css", "swagger-ui-bundle.js"})
DATED_CONDITIONS = ("If-Modified-Since", "If-Range")
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
        document["info"]["license"] = {"name": "MIT", "identifier": "MIT"}
        document["tags"] = list(self._tags())
        failure = Failure.model_json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        document["components"]["schemas"].update(failure.pop("$defs"))
        document["components"]["schemas"]["Failure"] = failure
        document["components"]["responses"] = {
            component_name(status): error_response(
                text, example_of_failure(status, document["components"]["schemas"])
            )
            for status, text in ERRORS.items()
        }
        add_examples(document)
        return document

    def _tags(self) -> Iterable[dict[str, str]]:
        """The tags that blueprints describe, in the order in which those came."""
        for blueprint in self._app.blueprints.values():
            name, description = blueprint.__dict__.get(TAG_ATTRIBUTE, ("", ""))
            if description:
                yield {"name": name, "description": description}

    def generate_rules(self) -> Iterable[Rule]:
        return sorted(super().generate_rules(), key=lambda rule: rule.rule)

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        paths, components = super().build_paths(rule)
        handler = self._app.view_functions[rule.endpoint]
        for path, operations in paths.items():
            for operation in operations.values():
                operation.update(getattr(handler, OPERATION_ATTRIBUTE, {}))
                refusals = getattr(handler, REFUSALS_ATTRIBUTE, ())
                complete(operation, path, [str(STATUS[kind]) for kind in refusals])
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


def complete(operation: dict[str, Any], path: str, refusals: Iterable[str]) -> None:
    """Adds what goes for all operations of this kind, and the statuses of its own refusals."""
    responses = {str(status): answer for status, answer in operation["responses"].items()}
    for status, answer in responses.items():
        answer["description"] = answer.get("description") or DESCRIPTIONS[status]
    operation["description"] = operation.get("description", "").strip()
    if not operation["description"]:
        del operation["description"]
    operation.setdefault("security", [])
    for status in sorted({*statuses_of(operation, path), *refusals}):
        component = f"#/components/responses/{component_name(status)}"
        responses.setdefault(status, {"$ref": component})
    operation["responses"] = responses


def statuses_of(operation: dict[str, Any], path: str) -> Iterable[str]:
    """The errors that an operation of this kind can end in."""
    yield "default"
    if path not in UNLIMITED_PATHS or operation["security"]:
        yield from ("429", "503")
    body = operation.get("requestBody")
    if operation["parameters"] or body:
        yield "400"
    if body:
        yield "413"
        if "application/octet-stream" not in body["content"]:
            yield "415"
    if operation["security"] and {} not in operation["security"]:
        yield from ("401", "403")
    if "{" in path:
        yield "404"


def component_name(status: str) -> str:
    return f"Error{status.capitalize()}"


def error_response(description: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Failure"}
    return {"description": description, "content": {JSON: {"schema": schema, "example": example}}}


def example_of_failure(status: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """What the kind of errors with this status says by itself."""
    kinds = {str(code): kind for kind, code in STATUS.items()}
    kind = kinds.get(status, AppError)
    example: dict[str, Any] = example_of(schemas["Failure"], schemas)
    fault = {"field": "name", "message": "has more than 255 characters"}
    details = [fault] if kind is Invalid else []
    return {**example, "error": kind.message, "code": kind.code, "details": details}


def document_api(app: Quart) -> None:
    """Serves `/openapi.json` and, on `/docs`, Swagger UI from our own origin."""
    schema = QuartSchema(
        openapi_path=None,
        info=Info("myapp", __version__, description=ABOUT),
        security_schemes={
            BEARER: HttpSecurityScheme(scheme="bearer", bearer_format="JWT"),
            API_KEY: APIKeySecurityScheme(in_="header", name=HEADER),
        },
        conversion_preference="pydantic",
        openapi_provider_class=Provider,
    )
    schema.init_app(app)
    del app.make_response  # quart-schema's looks every answer over for models, and ours have none
    app.register_blueprint(docs(app))


def openapi_document(app: Quart) -> dict[str, Any]:
    document: dict[str, Any] = app.extensions["QUART_SCHEMA"].openapi_provider.schema()
    return document


def docs(app: Quart) -> Blueprint:
    blueprint = Blueprint("docs", __name__)
    assets = Path(str(files("flask_swagger_ui"))) / "dist"

    @cache
    def document() -> bytes:
        """Made once: it takes some 40 ms of the event loop."""
        return app.json.dumps(openapi_document(app)).encode()

    @blueprint.get("/openapi.json")
    @hide
    async def openapi() -> Response:
        return json_response(document())

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

    @blueprint.get("/docs/<name>")
    @hide
    async def docs_asset(name: str) -> Response:
        if name not in DOCS_ASSETS:  # no file system is asked for what anybody may call it
            raise NotFound
        odd = any(has_odd_date(request.headers.get(header)) for header in DATED_CONDITIONS)
        return await send_from_directory(assets, name, cache_timeout=3600, conditional=not odd)

    return blueprint
