"""The rules for events that others send."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from myapp.errors import FieldError
from myapp.events import RESERVED_TYPES
from myapp.modules.event.dtos import NewEvent
from myapp.validation import ValidatorChain

DATA_BYTES = 64 * 1024


def type_is_free(event: NewEvent) -> Iterator[FieldError]:
    """A client must be able to trust what the system says."""
    if event.type in RESERVED_TYPES:
        yield FieldError("type", "is sent by the system alone")


def data_fits(event: NewEvent) -> Iterator[FieldError]:
    try:
        size = len(encode_data(event.data))
    except ValueError:
        yield FieldError("data", "has a number that JSON does not know")
        return
    if size > DATA_BYTES:
        yield FieldError("data", f"is larger than {DATA_BYTES // 1024} KiB")


def encode_data(data: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8 on one line. Raises ValueError for infinity and what is not a number."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


EVENT_RULES = ValidatorChain[NewEvent](type_is_free, data_fits)
