"""Names that senders give to their files: kept to be shown, made harmless first."""

import re
import unicodedata

from myapp.database.file import FILENAME_CHARACTERS

NAMELESS = "file"
EXTENSION_CHARACTERS = 16
SEPARATORS = re.compile(r"[/\\]")
# Controls, half characters, line ends, and what turns the direction of writing: "gpj.exe" backwards
# is shown as a picture.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def clean_filename(name: str) -> str:
    """The last part of the path, without what cannot be seen, shortened before its extension."""
    last = SEPARATORS.split(unicodedata.normalize("NFC", name))[-1]
    visible = HIDDEN.sub("", last).strip()
    if not visible.strip("."):
        return NAMELESS
    return shorten(visible)


def shorten(name: str) -> str:
    if len(name) <= FILENAME_CHARACTERS:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > EXTENSION_CHARACTERS:
        return name[:FILENAME_CHARACTERS]
    return stem[: FILENAME_CHARACTERS - len(dot + extension)] + dot + extension
