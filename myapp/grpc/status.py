"""The table from kinds of errors to gRPC, and what a caller learns of each."""

from collections.abc import Sequence
from typing import Any

import structlog
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
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

DOMAIN = "myapp"  # whose reasons these are

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
        return GRPCError(status_of(error), error.text, describe(error))
    log.error("call failed", exc_info=error)
    return GRPCError(Status.INTERNAL, AppError.message)


def status_of(error: AppError) -> Status:
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return Status.INTERNAL


def describe(error: AppError) -> Sequence[Any]:
    """What is known of it, in messages of `google.rpc` that clients of every language know."""
    details: list[Any] = []
    if error.details:
        details.append(violations(error.details))
    # The codes of HTTP, written as Google writes reasons.
    details.append(ErrorInfo(reason=error.error_code.upper(), domain=DOMAIN))
    if error.retry_after is not None:
        seconds, rest = divmod(error.retry_after, 1)
        delay = Duration(seconds=int(seconds), nanos=int(rest * 1e9))
        details.append(RetryInfo(retry_delay=delay))
    return details


def violations(details: Sequence[FieldError]) -> BadRequest:
    """Errors by field."""
    fields = [
        BadRequest.FieldViolation(field=detail.field, description=detail.message)
        for detail in details
    ]
    return BadRequest(field_violations=fields)
