import asyncio
import struct
import zlib
from collections.abc import AsyncIterator

import pytest

from myapp.errors import TooLarge
from myapp.storage.content import HEAD_BYTES, image_type, limited, peek


def png(width: int = 1, height: int = 1) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"\0\0")),
            (b"IEND", b""),
        )
    )


def jpeg(*segments: bytes, scan: bytes = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00") -> bytes:
    return b"\xff\xd8" + b"".join(segments) + scan + b"\x00\xff\xd9"


def gif(width: int = 1, flags: int = 0x80, version: bytes = b"89a") -> bytes:
    head = b"GIF" + version + struct.pack("<HHBBB", width, 1, flags, 0, 0)
    table = b"\0" * (3 << ((flags & 7) + 1)) if flags & 0x80 else b""
    return head + table + b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\x00\x3b"


def webp(chunk: bytes) -> bytes:
    body = b"WEBP" + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
QUANTISATION = b"\xff\xdb\x00\x43\x00" + bytes(64)
LOSSY = b"VP8 \x1a\0\0\0\x30\x01\x00\x9d\x01\x2a\x01\x00\x01\x00" + bytes(16)
LOSSLESS = b"VP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"
EXTENDED = b"VP8X\x0a\0\0\0\x10\0\0\0\0\0\0\0\0\0" + LOSSY

IMAGES = {
    "png": ("image/png", png()),
    "jpeg": ("image/jpeg", jpeg(JFIF, QUANTISATION)),
    "jpeg with exif": ("image/jpeg", jpeg(b"\xff\xe1\x00\x08Exif\0\0", QUANTISATION)),
    "jpeg without any": ("image/jpeg", jpeg(QUANTISATION)),
    "jpeg with fill bytes": ("image/jpeg", jpeg(JFIF, b"\xff\xff", QUANTISATION)),
    "jpeg with a long segment": (
        "image/jpeg",
        jpeg(b"\xff\xe1\xff\xff" + bytes(65_533), QUANTISATION)[:HEAD_BYTES],
    ),
    "gif": ("image/gif", gif()),
    "gif of 1987": ("image/gif", gif(version=b"87a")),
    "gif without colours": ("image/gif", gif(flags=0)),
    "gif with 256 colours": ("image/gif", gif(flags=0xF7)),
    "webp, lossy": ("image/webp", webp(LOSSY)),
    "webp, lossless": ("image/webp", webp(LOSSLESS)),
    "webp, extended": ("image/webp", webp(EXTENDED)),
}

OTHERS = {
    "nothing": b"",
    "text": b"hello",
    "html": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "pdf": b"%PDF-1.4\n",
    "icon": b"\x00\x00\x01\x00\x01\x00\x10\x10",
    "bmp": b"BM" + bytes(60),
    "tiff": b"II*\x00" + bytes(60),
    "wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(30),
    "avif": b"\0\0\0\x1cftypavif" + bytes(30),
    "png, signature alone": png()[:8],
    "png, cut in its header": png()[:31],
    "png, wrong checksum": png()[:29] + b"\0\0\0\0" + png()[33:],
    "png without width": png(width=0),
    "png with a page inside": png() + b"<script>alert(1)</script>",
    "png after a blank": b" " + png(),
    "jpeg, signature alone": b"\xff\xd8\xff\xe0",
    "jpeg that ends too soon": b"\xff\xd8" + JFIF,
    "jpeg, then text": b"\xff\xd8\xff\xe0\x00\x02alert(1)" + bytes(HEAD_BYTES),
    "jpeg with a page inside": jpeg(JFIF, b"\xff\xfe\x00\x1a<html><body>hello</body>\xff"),
    "gif, signature alone": b"GIF89a",
    "gif, then script": b"GIF89a=1;alert(document.cookie)//" + bytes(60),
    "gif, then page": b"GIF89a<ScRiPt src=//x></script>",
    "gif without width": gif(width=0),
    "gif of no version": gif(version=b"90a"),
    "webp of nothing": webp(b""),
    "webp of something else": webp(b"JUNK\x04\0\0\0abcd" + bytes(20)),
    "webp, lossy, without its mark": webp(LOSSY.replace(b"\x9d\x01\x2a", b"abc")),
    "webp, lossless, without its mark": webp(LOSSLESS.replace(b"\x2f", b"a")),
}


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def collect(chunks: AsyncIterator[bytes]) -> list[bytes]:
    return [chunk async for chunk in chunks]


class TestImageType:
    @pytest.mark.parametrize("name", IMAGES)
    def test_an_image_is_told_by_its_content(self, name: str) -> None:
        content_type, content = IMAGES[name]
        assert image_type(content[:HEAD_BYTES]) == content_type

    @pytest.mark.parametrize("name", OTHERS)
    def test_whatever_else_is_none(self, name: str) -> None:
        assert image_type(OTHERS[name][:HEAD_BYTES]) is None

    @pytest.mark.parametrize("name", IMAGES)
    def test_no_cut_makes_it_fail(self, name: str) -> None:
        content_type, content = IMAGES[name]
        for length in range(min(len(content), 100)):
            assert image_type(content[:length]) in (None, content_type)


class TestLimited:
    async def test_up_to_the_limit_everything_passes(self) -> None:
        chunks = [b"abc", b"", b"de"]
        assert await collect(limited(stream(*chunks), 5)) == chunks

    async def test_the_byte_beyond_it_ends_the_stream_at_once(self) -> None:
        source = stream(b"abc", b"def", b"not read yet")
        chunks = limited(source, 5)
        assert await anext(chunks) == b"abc"
        with pytest.raises(TooLarge, match="At most 5 bytes"):
            await anext(chunks)
        assert await anext(source) == b"not read yet"


class TestPeek:
    @pytest.mark.parametrize(
        "chunks", [[], [b""], [b"abc"], [b"a", b"", b"b", b"c"], [b"abcdef"], [b"ab", b"cdef"]]
    )
    async def test_the_stream_still_has_what_was_looked_at(self, chunks: list[bytes]) -> None:
        head, again = await peek(stream(*chunks), 4)
        content = b"".join(chunks)
        assert head == content[:4]
        assert b"".join(await collect(again)) == content

    async def test_no_more_is_read_than_it_takes(self) -> None:
        source = stream(b"ab", b"cd", b"ef")
        await peek(source, 3)
        assert await anext(source) == b"ef"
