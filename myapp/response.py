"""The envelope around every answer, and the table from kinds of errors to HTTP."""

import math
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field
from quart import Response

from myapp.errors import (
    AppError,
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)

T = TypeVar("T")

STATUS: dict[type[AppError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMedia: 415,
    RateLimited: 429,
    Unavailable: 503,
}


class Meta(BaseModel):
    """Where a page stands in its list."""

    page: int
    per_page: int
    total: int
    total_pages: int


class Success(BaseModel, Generic[T]):
    """What was asked for."""

    success: Literal[True] = True
    data: T


class SuccessList(BaseModel, Generic[T]):
    """One page of a list."""

    success: Literal[True] = True
    data: list[T]
    meta: Meta


class Failure(BaseModel):
    """What went wrong: `code` for programs, `error` for people, `details` by field."""

    success: Literal[False] = False
    error: str = Field(examples=["Valid credentials are required"])
    code: str = Field(examples=["unauthenticated"])
    details: list[FieldError]
    request_id: str = Field(examples=["b1c5d2f04a9e4c6f8a7b3d1e5f902c64"])


class Page(BaseModel, Generic[T]):
    """One page of a list, as a usecase answers it."""

    items: list[T]
    page: int
    per_page: int
    total: int

    @property
    def meta(self) -> Meta:
        total_pages = math.ceil(self.total / self.per_page)
        return Meta(
            page=self.page, per_page=self.per_page, total=self.total, total_pages=total_pages
        )


def json_response(body: bytes, status: int = 200) -> Response:
    return Response(body, status=status, content_type="application/json")


def succeed(data: BaseModel | None, status: int = 200) -> Response:
    """The envelope around one object. The object is written by pydantic, once, as bytes."""
    inner = b"null" if data is None else data.__pydantic_serializer__.to_json(data)
    return json_response(b'{"success":true,"data":' + inner + b"}", status)


def succeed_with_page(page: Page[T]) -> Response:
    """The envelope around a page of a list."""
    items = page.__pydantic_serializer__.to_json(page, include={"items"})
    data = items[len(b'{"items":') : -1]
    meta = page.meta.__pydantic_serializer__.to_json(page.meta)
    return json_response(b'{"success":true,"data":' + data + b',"meta":' + meta + b"}")


def fail(error: AppError, *, request_id: str) -> Response:
    """The envelope around an error, with the headers that its kind calls for."""
    failure = Failure(
        error=error.text,
        code=error.error_code,
        details=list(error.details),
        request_id=request_id,
    )
    response = json_response(failure.model_dump_json().encode(), status_of(error))
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return response


def status_of(error: AppError) -> int:
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500
