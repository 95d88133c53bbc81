"""What can go wrong, as kinds. Each transport maps the kinds to its own codes.

AppError
├── Invalid             the request makes no sense as it stands
├── Unauthenticated     nobody knows who asks
├── Forbidden           we know who asks, and they may not
├── NotFound            it is not there, or not theirs to know of
├── Conflict            it does not fit the present state
├── TooLarge            more than we take
├── UnsupportedMedia    a kind of content that we do not take
├── RateLimited         too often
└── Unavailable         a part that this needs is out of reach; trying again helps

Anything that is not an AppError is a defect: it is logged with its traceback, and the
caller learns only that it happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of a request and what is wrong with it, in a sentence for its sender."""

    field: str
    message: str


class ConfigError(Exception):
    """A setting that the program cannot start with; the message names the variable."""


class AppError(Exception):
    """A failure that its caller may read about: the message goes out as it is."""

    code: ClassVar[str] = "internal"
    message: ClassVar[str] = "Internal error"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: Sequence[FieldError] = (),
        retry_after: float | None = None,
    ) -> None:
        """`retry_after` is in seconds; `code` refines the kind's own code."""
        self.text = message or self.message
        self.error_code = code or self.code
        self.details = tuple(details)
        self.retry_after = retry_after
        super().__init__(self.text)

    @property
    def sentence(self) -> str:
        """All that it says in one line, for a person who sees no fields of an answer."""
        faults = "; ".join(f"{each.field} {each.message}".lstrip() for each in self.details)
        if not faults or self.text == self.message:
            return faults or self.text
        return f"{self.text}: {faults}"


class Invalid(AppError):
    """The request is malformed or breaks a rule that `details` names by field."""

    code = "invalid_request"
    message = "The request is not valid"


class Unauthenticated(AppError):
    """No credentials, or credentials that are wrong, expired or revoked."""

    code = "unauthenticated"
    message = "Valid credentials are required"


class Forbidden(AppError):
    """The caller is known and may not do this."""

    code = "forbidden"
    message = "You may not do this"


class NotFound(AppError):
    """It does not exist, or the caller is not to know that it does."""

    code = "not_found"
    message = "Not found"


class Conflict(AppError):
    """The request does not fit the present state of what it names."""

    code = "conflict"
    message = "This conflicts with the present state"


class TooLarge(AppError):
    """More bytes than this place takes."""

    code = "too_large"
    message = "The request is too large"


class UnsupportedMedia(AppError):
    """Content of a type that this place does not take."""

    code = "unsupported_media_type"
    message = "This type of content is not supported"


class RateLimited(AppError):
    """Too many requests; `retry_after` says when to come back."""

    code = "rate_limited"
    message = "Too many requests"


class Unavailable(AppError):
    """A part that this request cannot do without is out of reach for now."""

    code = "unavailable"
    message = "The service is unavailable for the moment"

    def __init__(self, message: str | None = None, *, retry_after: float = 1.0) -> None:
        super().__init__(message, retry_after=retry_after)
