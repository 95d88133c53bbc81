"""Every failure becomes the envelope: ours, the framework's, and what nobody foresaw."""

import structlog
from quart import Quart, Response
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from myapp.connection import current_request
from myapp.errors import AppError, Invalid, NotFound, TooLarge, Unavailable, UnsupportedMedia
from myapp.response import fail

log = structlog.get_logger()

SERVER_ERROR = 500
FRAMEWORK_ERRORS: dict[int, type[AppError]] = {
    404: NotFound,
    413: TooLarge,
    415: UnsupportedMedia,
    503: Unavailable,
}


class MethodNotAllowed(AppError):
    """The path exists, but not for this method."""

    code = "method_not_allowed"
    message = "This method is not allowed here"


def recover_from_errors(app: Quart) -> None:
    """Answers each exception by its kind; the last one, of no known kind, is a logged 500."""
    app.register_error_handler(AppError, answer_app_error)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(Exception, answer_unforeseen)


async def answer_app_error(error: AppError) -> Response:
    return fail(error, request_id=current_request().id)


async def answer_http_exception(error: HTTPException) -> Response:
    """What Quart and Werkzeug raise by themselves: an unknown path, a body that is too large."""
    if isinstance(error, WrongMethod):
        return answer_wrong_method(error)
    kind = FRAMEWORK_ERRORS.get(error.code or SERVER_ERROR)
    if kind is None:
        kind = AppError if (error.code or SERVER_ERROR) >= SERVER_ERROR else Invalid
    return fail(kind(), request_id=current_request().id)


def answer_wrong_method(error: WrongMethod) -> Response:
    response = fail(MethodNotAllowed(), request_id=current_request().id)
    response.status_code = 405
    response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


async def answer_unforeseen(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return fail(AppError(), request_id=current_request().id)
