"""How a browser is told to treat an object: shown or saved, as what, and under which name."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

# Types that a browser only ever shows or plays. Any other is saved.
INLINE_TYPES = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "video/mp4",
        "video/webm",
    }
)
# Saved under their own type. The rest is saved under one that nothing runs: an attachment of type
# text/javascript would still run where a page names it as its script.
SAVED_TYPES = frozenset({"application/pdf", "application/zip", "application/gzip", "text/csv"})
OTHER_TYPE = "application/octet-stream"

UNQUOTED = "!#$&+-.^_`|~"  # what RFC 8187 leaves as it is
NOT_PLAIN = re.compile(r"[^ !#$&-\[\]-~]")  # nor what a quoted name would have to escape, nor %


@dataclass(frozen=True, slots=True)
class Presentation:
    """Values for the headers Content-Type and Content-Disposition."""

    content_type: str
    disposition: str


def present(content_type: str, filename: str | None = None) -> Presentation:
    """How an object of this type goes out so that nothing in it ever runs."""
    inline = content_type in INLINE_TYPES
    shown = content_type if inline or content_type in SAVED_TYPES else OTHER_TYPE
    return Presentation(shown, disposition("inline" if inline else "attachment", filename))


def disposition(kind: str, filename: str | None) -> str:
    """A Content-Disposition of RFC 6266; any text is safe as a name.

    A name that is not plain ASCII comes twice: as it is, and with `_` for what old clients
    would take wrongly.
    """
    if not filename:
        return kind
    decomposed = unicodedata.normalize("NFKD", filename)
    bare = "".join(each for each in decomposed if not unicodedata.combining(each))
    plain = NOT_PLAIN.sub("_", bare)
    if plain == filename:
        return f'{kind}; filename="{plain}"'
    encoded = quote(filename, safe=UNQUOTED, errors="replace")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
