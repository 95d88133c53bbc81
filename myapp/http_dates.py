"""Dates in the headers of requests, where clients may write anything."""

from werkzeug.http import parse_date


def has_odd_date(header: str | None) -> bool:
    """Whether there is a date in it that cannot be read, which RFC 9110 has us ignore.

    For a year or a zone with more digits than C can count Python raises OverflowError, and Werkzeug
    lets that through. What is no date at all Werkzeug itself ignores, or takes for an ETag.
    """
    try:
        parse_date(header)
    except OverflowError:
        return True
    return False
