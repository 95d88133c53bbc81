"""One log line for each request."""

import structlog
from quart.typing import ResponseTypes

from myapp.application import Application
from myapp.connection import Request
from myapp.logger import SLOW_SECONDS

log = structlog.get_logger()

QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines


def log_requests(app: Application, *, slow_seconds: float = SLOW_SECONDS) -> None:
    """Logs how every request ended.

    A slow one is a warning. The wait for a body is the client's own time. Only the path is logged:
    a query string may hold a ticket or a signature.
    """

    def tell(request: Request, response: ResponseTypes, seconds: float) -> None:
        slow = seconds - request.body.waited > slow_seconds
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

    app.observers.append(tell)
