"""Headers that tell a browser to be careful, on every answer."""

from myapp.application import Application

# An API's answers are data: nothing in them may run, be framed, or be kept by a shared cache.
DEFAULTS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")


def secure_headers(app: Application, *, strict_transport: bool) -> None:
    """Adds what a route has not set for itself. `strict_transport`: browsers keep to HTTPS."""
    app.standing_headers += DEFAULTS.items()
    if strict_transport:
        app.standing_headers.append(STRICT_TRANSPORT)
