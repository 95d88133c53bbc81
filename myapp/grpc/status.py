"""The table from kinds of errors to gRPC, and what a caller learns of each."""

from collections.abc import Sequence
from typing import Any

import structlog
from google.rpc.error_details_pb2 import BadRequest
from grpclib import GRPCError, Status

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

log = structlog.get_logger()

STATUS: dict[type[AppError], Status] = {
    Invalid: Status.INVALID_ARGUMENT,
    Unauthenticated: Status.UNAUTHENTICATED,
    Forbidden: Status.PERMISSION_DENIED,
    NotFound: Status.NOT_FOUND,
    # Our conflicts are about the state of what is there; ALREADY_EXISTS is for creating.
    Conflict: Status.FAILED_PRECONDITION,
    TooLarge: Status.RESOURCE_EXHAUSTED,
    UnsupportedMedia: Status.INVALID_ARGUMENT,
    RateLimited: Status.RESOURCE_EXHAUSTED,
    Unavailable: Status.UNAVAILABLE,
}


def to_grpc_error(error: Exception) -> GRPCError:
    """What the caller learns. An error of no known kind is logged, and its text stays here."""
    if isinstance(error, GRPCError):
        return error
    if isinstance(error, AppError):
        return GRPCError(status_of(error), error.text, violations(error.details))
    log.error("call failed", exc_info=error)
    return GRPCError(Status.INTERNAL, AppError.message)


def status_of(error: AppError) -> Status:
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return Status.INTERNAL


def violations(details: Sequence[FieldError]) -> Sequence[Any] | None:
    """Errors by field as `google.rpc.BadRequest`, which clients of every language know."""
    if not details:
        return None
    fields = [
        BadRequest.FieldViolation(field=detail.field, description=detail.message)
        for detail in details
    ]
    return [BadRequest(field_violations=fields)]
