"""The request's id, and one log line for each request."""

import time

import structlog
from quart import Quart, Response, g, request

from myapp.correlation import choose_request_id

log = structlog.get_logger()

QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines


def log_requests(app: Quart) -> None:
    """Gives every request an id, the caller's own when it is sane, and logs how it ended.

    Only the path is logged: a query string may hold a ticket or a signature.
    """

    @app.before_request
    async def begin() -> None:
        g.request_id = choose_request_id(request.headers.get("X-Request-ID", ""))
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    async def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        write = log.debug if request.path in QUIET_PATHS else log.info
        write(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round((time.perf_counter() - g.started) * 1000, 1),
            address=request.remote_addr,
        )
        return response
