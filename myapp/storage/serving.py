"""How a stored object goes out over HTTP: which status, which headers, which of its bytes.

For the api role alone: it loads Werkzeug, Quart's foundation.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus

from werkzeug.datastructures import Headers
from werkzeug.http import http_date
from werkzeug.sansio.http import is_resource_modified

from myapp.http_dates import has_odd_date
from myapp.storage.base import ByteRange, StoredObject
from myapp.storage.presentation import present

# Browsers put an image that is opened by itself on a page of their own, with styles in it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response but for its body: the bytes of `part`, or none at all."""

    status: HTTPStatus
    headers: dict[str, str]
    part: ByteRange | None


def plan_answer(
    stored: StoredObject,
    request_headers: Headers,
    *,
    max_age: int,
    filename: str | None = None,
) -> Answer:
    """What a GET or HEAD gets: 200, 206 for one range, 304, or 416 for a range beyond the end.

    `max_age` is how many seconds a browser may keep it. Several ranges at once, and a range that
    is malformed or whose If-Range no longer holds, get the whole object, as RFC 9110 has it.
    """
    headers = serving_headers(stored, max_age=max_age, filename=filename)
    if not is_modified(stored, request_headers):
        return Answer(HTTPStatus.NOT_MODIFIED, headers, None)
    part = find_range(stored, request_headers)
    if part is None:
        headers["Content-Length"] = str(stored.size)
        return Answer(HTTPStatus.OK, headers, ByteRange(0, stored.size))
    if part.start >= part.stop:
        beyond = {"Content-Range": f"bytes */{stored.size}"}
        return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, beyond, None)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{stored.size}"
    headers["Content-Length"] = str(part.stop - part.start)
    return Answer(HTTPStatus.PARTIAL_CONTENT, headers, part)


def serving_headers(
    stored: StoredObject, *, max_age: int, filename: str | None = None
) -> dict[str, str]:
    """Headers under which nothing uploaded ever runs as a page or a script of our origin."""
    presentation = present(stored.content_type, filename)
    return {
        "Content-Type": presentation.content_type,
        "Content-Disposition": presentation.disposition,
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "cross-origin",  # a page elsewhere may show the image
        "Cache-Control": f"private, max-age={max_age}",
        "ETag": f'"{stored.etag}"',
        "Last-Modified": http_date(stored.modified_at),
        "Accept-Ranges": "bytes",
    }


def is_modified(stored: StoredObject, request_headers: Headers) -> bool:
    """Whether the caller's copy, if it speaks of one, is another than this."""
    since = request_headers.get("If-Modified-Since")
    return is_resource_modified(
        http_if_none_match=request_headers.get("If-None-Match"),
        http_if_modified_since=None if has_odd_date(since) else since,
        etag=stored.etag,
        last_modified=stored.modified_at,
    )


def find_range(stored: StoredObject, request_headers: Headers) -> ByteRange | None:
    """The range that was asked for and still makes sense; an empty one lies beyond the end."""
    header = request_headers.get("Range")
    if header is None or not is_range_current(stored, request_headers):
        return None
    return parse_range(header, stored.size)


def is_range_current(stored: StoredObject, request_headers: Headers) -> bool:
    """Whether the caller's If-Range, if there is one, speaks of this very object."""
    if "If-Range" not in request_headers:
        return True
    validator = request_headers["If-Range"]
    return not has_odd_date(validator) and not is_resource_modified(
        http_range=request_headers["Range"],
        http_if_range=validator,
        etag=stored.etag,
        last_modified=stored.modified_at,
        ignore_if_range=False,
    )


def parse_range(header: str, size: int) -> ByteRange | None:
    """One range of bytes in an object of `size`; None for what is no such range.

    Werkzeug's own parser takes a suffix longer than the object for a range beyond its end.
    """
    match = RANGE.fullmatch(header.strip())
    first, last = match.groups() if match else ("", "")
    if first and last and int(last) < int(first):
        return None
    if first:
        return ByteRange(int(first), min(int(last) + 1, size) if last else size)
    if last:
        return ByteRange(max(0, size - int(last)), size)
    return None
