"""From a request to a DTO and back: decorators of controller methods.

They validate with pydantic and tell quart-schema what a route takes and gives, so that the
OpenAPI document cannot differ from what is checked. From the outside in, a method reads:

    @takes(ProfileChanges)
    @gives(UserResponse)
    async def change_me(self, changes: ProfileChanges) -> UserResponse:
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from quart import Blueprint, Response, request
from quart_schema import (
    document_querystring,
    document_request,
    document_response,
    tag_blueprint,
)

from myapp.errors import AppError, FieldError, Invalid, UnsupportedMedia
from myapp.response import Page, Success, SuccessList, succeed, succeed_with_page
from myapp.validation import refusal

M = TypeVar("M", bound=BaseModel)
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
OPERATION_ATTRIBUTE = "_openapi_operation"
REFUSALS_ATTRIBUTE = "_openapi_refusals"
TAG_ATTRIBUTE = "_openapi_tag"

Handler = Callable[..., Awaitable[Any]]


def takes(model: type[BaseModel]) -> Callable[[Handler], Handler]:
    """Hands the request's JSON body to the method, as a `model`."""

    def decorate(handler: Handler) -> Handler:
        @document_request(model)
        @wraps(handler)
        async def wrapper(controller: object, **path: Any) -> Any:
            return await handler(controller, await read_body(model), **path)

        return wrapper

    return decorate


def queries(model: type[BaseModel]) -> Callable[[Handler], Handler]:
    """Hands the query string's parameters to the method, as a `model`."""

    def decorate(handler: Handler) -> Handler:
        @document_querystring(model)
        @wraps(handler)
        async def wrapper(controller: object, **path: Any) -> Any:
            return await handler(controller, read_query(model), **path)

        return wrapper

    return decorate


def gives(model: type[BaseModel], *, status: int = 200) -> Callable[[Handler], Handler]:
    """Puts the object that the method returns, a `model`, into the envelope."""

    def decorate(handler: Handler) -> Handler:
        @document_response(Success[model], status)  # type: ignore[valid-type]  # made at run time
        @wraps(handler)
        async def wrapper(*args: Any, **path: Any) -> Response:
            return succeed(await handler(*args, **path), status)

        return wrapper

    return decorate


def gives_page(model: type[BaseModel]) -> Callable[[Handler], Handler]:
    """Puts the page of `model`s that the method returns into the envelope."""

    def decorate(handler: Handler) -> Handler:
        @document_response(SuccessList[model])  # type: ignore[valid-type]  # made at run time
        @wraps(handler)
        async def wrapper(*args: Any, **path: Any) -> Response:
            page: Page[Any] = await handler(*args, **path)
            return succeed_with_page(page)

        return wrapper

    return decorate


def gives_nothing(handler: Handler) -> Handler:
    """Answers `data: null` when the method returns."""

    @document_response(Success[None])
    @wraps(handler)
    async def wrapper(*args: Any, **path: Any) -> Response:
        await handler(*args, **path)
        return succeed(None)

    return wrapper


def gives_bytes(handler: Handler) -> Handler:
    """Documents a method that answers with the bytes of an object, outside the envelope."""
    answers = {
        "200": {"description": "The bytes", "content": BINARY},
        "206": {"description": "The range of them that was asked for", "content": BINARY},
        "304": {"description": "They are still what the client has"},
    }
    return describe(handler, responses=answers)


def takes_bytes(handler: Handler) -> Handler:
    """Documents a method that reads the request's body as it is."""
    return describe(handler, requestBody={"required": True, "content": BINARY})


def refuses(*kinds: type[AppError]) -> Callable[[Handler], Handler]:
    """Documents the errors that are a method's own, besides those of every one of its kind."""

    def decorate(handler: Handler) -> Handler:
        handler.__dict__[REFUSALS_ATTRIBUTE] = kinds
        return handler

    return decorate


def describe(handler: Handler, **operation: Any) -> Handler:
    """Adds to the handler's operation in the OpenAPI document."""
    handler.__dict__.setdefault(OPERATION_ATTRIBUTE, {}).update(operation)
    return handler


def tag_routes(blueprint: Blueprint, name: str, description: str = "") -> None:
    """Groups a blueprint's routes in the OpenAPI document; one blueprint describes the group."""
    tag_blueprint(blueprint, [name])
    blueprint.__dict__[TAG_ATTRIBUTE] = (name, description)


async def read_body(model: type[M]) -> M:
    """The JSON body as a `model`. Raises UnsupportedMedia or Invalid."""
    if request.mimetype != "application/json":
        raise UnsupportedMedia("Send the body as application/json")
    try:
        return model.model_validate_json(await request.get_data())
    except ValidationError as error:
        raise refusal(error, "The body is not valid") from None


def read_query(model: type[M]) -> M:
    """The query string as a `model`. A parameter that is given twice is refused."""
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    if repeated:
        raise Invalid(details=[FieldError(name, "is given more than once") for name in repeated])
    try:
        return model.model_validate_strings(request.args.to_dict())
    except ValidationError as error:
        raise refusal(error, "A parameter is not valid") from None
