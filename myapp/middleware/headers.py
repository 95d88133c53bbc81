"""Headers that tell a browser to be careful, on every answer."""

from quart import Quart, Response

# An API's answers are data: nothing in them may run, be framed, or be kept by a shared cache.
DEFAULTS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
STRICT_TRANSPORT = "max-age=31536000"


def secure_headers(app: Quart, *, strict_transport: bool) -> None:
    """Adds what a route has not set for itself. `strict_transport`: browsers keep to HTTPS."""
    headers = dict(DEFAULTS)
    if strict_transport:
        headers["Strict-Transport-Security"] = STRICT_TRANSPORT

    @app.after_request
    async def add(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response
