"""The rules for API keys, whichever door they come by."""

from collections.abc import Iterator
from datetime import UTC, datetime

from myapp.database.api_key import NAME_CHARACTERS
from myapp.errors import FieldError
from myapp.modules.api_key.dtos import NewApiKey
from myapp.validation import ValidatorChain, is_one_line


def name_fits(new: NewApiKey) -> Iterator[FieldError]:
    if not new.name.strip():
        yield FieldError("name", "is empty")
    if len(new.name) > NAME_CHARACTERS:
        yield FieldError("name", f"has more than {NAME_CHARACTERS} characters")
    if not is_one_line(new.name):
        yield FieldError("name", "has control characters or line breaks")


def expiry_is_ahead(new: NewApiKey) -> Iterator[FieldError]:
    if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
        yield FieldError("expires_at", "is over")


NEW_KEY_RULES = ValidatorChain[NewApiKey](name_fits, expiry_is_ahead)
