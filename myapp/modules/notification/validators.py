"""The rules for notifications, whichever door they come by."""

import re
from collections.abc import Iterator

from myapp.errors import FieldError
from myapp.modules.notification.dtos import NewNotification
from myapp.validation import ValidatorChain

DATA_BYTES = 3500  # FCM takes 4,096 in all
# FCM refuses every message with these.
RESERVED_KEYS = ("from", "message_type")
RESERVED_PREFIXES = ("google.", "gcm.")
# PostgreSQL has no text with NUL, and no database has one with a lone surrogate.
UNFIT = re.compile("[\x00\ud800-\udfff]")


def data_fits(new: NewNotification) -> Iterator[FieldError]:
    size = sum(
        len(text.encode(errors="surrogatepass")) for item in new.data.items() for text in item
    )
    if size > DATA_BYTES:
        yield FieldError("data", f"has more than {DATA_BYTES} bytes, keys and values together")


def keys_are_free(new: NewNotification) -> Iterator[FieldError]:
    for key in new.data:
        if key in RESERVED_KEYS or key.startswith(RESERVED_PREFIXES):
            yield FieldError("data", f"has the key {key[:40]!r}, which push services reserve")


def texts_are_text(new: NewNotification) -> Iterator[FieldError]:
    texts = {"title": new.title, "body": new.body, "data": "".join(map("".join, new.data.items()))}
    for field, text in texts.items():
        if UNFIT.search(text):
            yield FieldError(field, "has characters that are no text")


def title_says_something(new: NewNotification) -> Iterator[FieldError]:
    if not new.title.strip():
        yield FieldError("title", "is empty")


NOTIFICATION_RULES = ValidatorChain[NewNotification](
    data_fits, keys_are_free, texts_are_text, title_says_something
)
