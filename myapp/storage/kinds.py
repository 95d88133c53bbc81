"""What an upload is, judged by its first bytes; what its sender calls it only refines that.

Where a browser could be led to run or show something, the judgement is strict: the four kinds of
pictures by their structure, pages by what a browser itself would take for one.
"""

import codecs
import re

from myapp.storage.base import CONTENT_TYPE
from myapp.storage.content import IMAGES, image_type
from myapp.storage.presentation import INLINE_TYPES, OTHER_TYPE

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-cfb"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"{\\rtf1", "application/rtf"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"OggS\x00", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3\x02\x00", "audio/mpeg"),
    (b"ID3\x03\x00", "audio/mpeg"),
    (b"ID3\x04\x00", "audio/mpeg"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x00asm", "application/wasm"),
    (b"\x7fELF", "application/x-elf"),
)
MPEG_FRAMES = tuple(bytes((0xFF, second)) for second in (0xFA, 0xFB, 0xF2, 0xF3, 0xE2, 0xE3))
RIFF_TYPES = {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
FILM_BRANDS = {
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"mif1": "image/heic",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
}
EBML = b"\x1a\x45\xdf\xa3"

# What is recognised by its bytes, or shown by a browser: what lacks those bytes is none of these,
# whatever it is called.
KNOWN_TYPES = {*IMAGES, *(name for _, name in SIGNATURES), *RIFF_TYPES.values()}
NEVER_CLAIMED = frozenset(KNOWN_TYPES | INLINE_TYPES)
# What a general kind may be more closely, if its sender says so.
REFINEMENTS = {
    "text/plain": re.compile(r"text/.+|application/(?!octet-stream$).+|message/.+"),
    "text/html": re.compile(r"application/xhtml\+xml"),
    "application/xml": re.compile(r".+/(.+\+)?xml"),
    "application/zip": re.compile(
        r"application/(vnd\..+|epub\+zip|java-archive|x-zip-compressed|.+\+zip)"
    ),
    "application/gzip": re.compile(r"application/(x-gzip|x-tgz|x-tar|x-gtar|.+\+gzip)"),
    "application/x-cfb": re.compile(r"application/(msword|vnd\.ms-.+|x-msi)"),
    "application/ogg": re.compile(r"(audio|video)/(ogg|opus)"),
    "video/mp4": re.compile(r"(audio|video)/(mp4|x-m4[av]|3gpp2?)"),
    "video/webm": re.compile(r"audio/webm|video/x-matroska"),
    "audio/wav": re.compile(r"audio/(x-wav|wave|vnd\.wave)"),
    "audio/mpeg": re.compile(r"audio/mp3"),
}

# What a browser takes for a page: the WHATWG's "MIME Sniffing", section 7.1.
PAGE = re.compile(
    rb"<(!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]"
    rb"|<!--",
    re.IGNORECASE,
)
DRAWING = re.compile(rb"<svg[\s>]|<!doctype svg[\s>]", re.IGNORECASE)
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
WHITESPACE = b"\t\n\x0c\r "
BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def judge(head: bytes, declared: str | None) -> str:
    """The content type of what begins with `head`, the first HEAD_BYTES or all that there is.

    `declared` is what its sender calls it. It decides between kinds that look alike, and names
    what is not recognised, unless its bytes would have been recognised as that.
    """
    claim = clean_type(declared)
    essence = claim.partition(";")[0]
    found = recognise(head)
    if found is None:
        return OTHER_TYPE if essence in NEVER_CLAIMED else claim
    return claim if essence == found or refines(essence, found) else found


def refines(essence: str, found: str) -> bool:
    """Whether the type says more closely what was found, and nothing else."""
    pattern = REFINEMENTS.get(found)
    return bool(pattern and pattern.fullmatch(essence)) and essence not in KNOWN_TYPES


def agrees(head: bytes, declared: str) -> bool:
    """Whether what begins with `head` may be what it was declared to be."""
    return declared == OTHER_TYPE or judge(head, declared) == declared


def clean_type(declared: str | None) -> str:
    """The declared type in lower case; OTHER_TYPE where there is none, or none that makes sense."""
    text = (declared or "").strip().lower()
    return text if CONTENT_TYPE.fullmatch(text) else OTHER_TYPE


def recognise(head: bytes) -> str | None:
    """The general kind of what begins with `head`, or None."""
    return image_type(head) or by_signature(head) or text_type(head)


def by_signature(head: bytes) -> str | None:
    """The kind of a file that begins with the mark of its format."""
    if head[4:8] == b"ftyp":
        return FILM_BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(EBML):
        return "video/webm"
    if head.startswith(b"RIFF"):
        return RIFF_TYPES.get(head[8:12])
    if head.startswith(MPEG_FRAMES):
        return "audio/mpeg"
    return next((name for mark, name in SIGNATURES if head.startswith(mark)), None)


def text_type(head: bytes) -> str | None:
    """Whether it is text, and then whether a browser would take it for more than that."""
    if not is_text(head):
        return None
    start = head.removeprefix(codecs.BOM_UTF8).lstrip(WHITESPACE)
    if DRAWING.match(start) or (start.startswith((b"<?xml", b"<!--")) and DRAWING.search(start)):
        return "image/svg+xml"
    if start.startswith(b"<?xml"):
        return "application/xml"
    if PAGE.match(start):
        return (
            "image/svg+xml" if start.startswith(b"<!--") and DRAWING.search(start) else "text/html"
        )
    return "text/plain"


def is_text(head: bytes) -> bool:
    """UTF-8 without control characters, or UTF-16 that says so; nothing at all is no text."""
    if not head or CONTROLS.search(head):
        return head.startswith(BYTE_ORDER_MARKS)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # its last character may be cut
    except UnicodeDecodeError:
        return head.startswith(BYTE_ORDER_MARKS)
    return True
