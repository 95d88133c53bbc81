"""Which web pages of other origins may call the API from a browser."""

from collections.abc import Sequence

from quart import Quart
from quart_cors import cors

REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "X-API-Key",
    "X-Request-ID",
)
# Beside those that a browser shows anyway, such as Content-Length and Last-Modified.
ANSWER_HEADERS = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
)
PREFLIGHT_SECONDS = 600


def allow_origins(app: Quart, origins: Sequence[str]) -> Quart:
    """Lets pages of these origins in. Without origins a browser lets none in."""
    if not origins:
        return app
    return cors(
        app,
        allow_origin=list(origins),
        allow_headers=REQUEST_HEADERS,
        allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        expose_headers=ANSWER_HEADERS,
        max_age=PREFLIGHT_SECONDS,
    )
