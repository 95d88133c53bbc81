"""The request's id, and one log line for each request."""

import time
from typing import cast

import structlog
from quart import Quart, Response, g, request

from myapp.connection import Request
from myapp.correlation import choose_request_id
from myapp.logger import SLOW_SECONDS

log = structlog.get_logger()

QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines


def log_requests(app: Quart, *, slow_seconds: float = SLOW_SECONDS) -> None:
    """Gives every request an id, the caller's own when it is sane, and logs how it ended.

    A slow one is a warning. The wait for a body is the client's own time, and a stream's time is
    that to its beginning. Only the path is logged: a query string may hold a ticket or a signature.
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
        seconds = time.perf_counter() - g.started
        slow = seconds - cast("Request", request).body.waited > slow_seconds
        quiet = request.path in QUIET_PATHS
        write = log.warning if slow else log.debug if quiet else log.info
        write(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            address=request.remote_addr,
        )
        return response
