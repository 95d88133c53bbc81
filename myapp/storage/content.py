"""What an upload really is, and how much of it there may be.

The signatures of `puremagic` are no judge of images: eight bytes pass for a PNG, and
`GIF89a=1;<script>` for a GIF. The four types that an avatar may have are checked here by the
structure that follows their signature.
"""

import re
import zlib
from collections.abc import AsyncIterator, Callable

from myapp.errors import TooLarge

HEAD_BYTES = 4096  # past a GIF's colour table and whatever a browser reads to guess a type
MARKUP = re.compile(rb"<(!doctype|html|head|body|script|svg|iframe|\?php)[\s>/]", re.IGNORECASE)
GIF_HEADER = 13
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC8}  # frame headers and tables
JPEG_SEGMENTS = JPEG_FRAMES | {0xDB, 0xDD, 0xFE} | frozenset(range(0xE0, 0xF0))
JPEG_SCAN = 0xDA


def image_type(head: bytes) -> str | None:
    """The content type of a PNG, JPEG, GIF or WebP that begins with `head`, else None.

    `head` is the first HEAD_BYTES, or all that there is. An image that carries a page's or a
    script's markup in it is none.
    """
    if MARKUP.search(head):
        return None
    return next((name for name, matches in IMAGES.items() if matches(head)), None)


def is_png(head: bytes) -> bool:
    """Signature, then a whole IHDR chunk with a size and the right checksum."""
    chunk, checksum = head[12:29], head[29:33]
    return (
        head.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
        and len(checksum) == 4
        and zlib.crc32(chunk) == int.from_bytes(checksum, "big")
        and bytes(4) not in (head[16:20], head[20:24])
    )


def is_jpeg(head: bytes) -> bool:
    """Start of image, then segments that lead one to the next: to the scan, or out of `head`."""
    if not head.startswith(b"\xff\xd8\xff"):
        return False
    at = 2
    while at + 4 <= len(head):
        if head[at : at + 2] == b"\xff\xff":  # fill bytes may stand before any marker
            at += 1
            continue
        prefix, marker = head[at : at + 2]
        if prefix == 0xFF and marker == JPEG_SCAN and at > 2:
            return True
        length = int.from_bytes(head[at + 2 : at + 4], "big")
        if prefix != 0xFF or marker not in JPEG_SEGMENTS or length < 2:
            return False
        at += 2 + length
    return len(head) >= HEAD_BYTES


def is_gif(head: bytes) -> bool:
    """Signature, a size, and a block where the colour table ends."""
    if not head.startswith((b"GIF87a", b"GIF89a")) or len(head) <= GIF_HEADER:
        return False
    flags = head[10]
    table = 3 << ((flags & 7) + 1) if flags & 0x80 else 0
    first_block = head[GIF_HEADER + table : GIF_HEADER + table + 1]
    return bytes(2) not in (head[6:8], head[8:10]) and first_block in (b"\x21", b"\x2c")


def is_webp(head: bytes) -> bool:
    """A RIFF container whose first chunk is one of WebP's three, with that chunk's own mark."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return False
    match head[12:16]:
        case b"VP8 ":
            return head[23:26] == b"\x9d\x01\x2a"
        case b"VP8L":
            return head[20:21] == b"\x2f"
        case b"VP8X":
            return head[16:20] == b"\x0a\x00\x00\x00" and len(head) >= 30
    return False


IMAGES: dict[str, Callable[[bytes], bool]] = {
    "image/png": is_png,
    "image/jpeg": is_jpeg,
    "image/gif": is_gif,
    "image/webp": is_webp,
}


async def limited(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    """The same chunks, up to `max_bytes` in all. Raises TooLarge with the chunk that passes it."""
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise TooLarge(f"At most {max_bytes:,} bytes are taken here")
        yield chunk


async def peek(
    chunks: AsyncIterator[bytes], size: int = HEAD_BYTES
) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first `size` bytes (fewer when there are no more), and the whole stream again."""
    read = b""
    while len(read) < size and (chunk := await anext(chunks, None)) is not None:
        read += chunk
    return read[:size], resume(read, chunks)


async def resume(read: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield read
    async for chunk in rest:
        yield chunk
