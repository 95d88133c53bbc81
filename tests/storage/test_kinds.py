"""What uploads are taken for."""

import pytest

from myapp.storage.kinds import agrees, judge
from myapp.storage.presentation import INLINE_TYPES
from tests.storage.test_content import IMAGES

PNG = IMAGES["png"][1]
OTHER = "application/octet-stream"
MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00"
DOCX = b"PK\x03\x04\x14\x00\x06\x00"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
BINARY = b"\x00\x01\x02\x03 nothing that anybody knows"

PAGES = [
    b"<!DOCTYPE html><p>",
    b"<html>",
    b" \r\n\t<ScRiPt>alert(1)</sCrIpT>",
    b"\xef\xbb\xbf<html>",
    b"<!-- hello --><b>",
    b"<iframe src=x>",
    b"<body onload=alert(1)>",
]
DRAWINGS = [
    b"<svg onload=alert(1)>",
    b'<?xml version="1.0"?>\n<!-- x --><svg xmlns="http://www.w3.org/2000/svg"/>',
    b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN'>",
    b"<!-- hidden --><svg onload=alert(1)>",
]


class TestJudge:
    @pytest.mark.parametrize(
        ("head", "content_type"),
        [
            *((head, content_type) for content_type, head in IMAGES.values()),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"PK\x03\x04rest", "application/zip"),
            (MP4, "video/mp4"),
            (b"\x1a\x45\xdf\xa3", "video/webm"),
            (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
            (b"\xff\xfb\x90\x00", "audio/mpeg"),
            (b"OggS\x00\x02", "application/ogg"),
            (b"hello", "text/plain"),
            ("Grüße".encode()[:-1], "text/plain"),
            (b"\xff\xfeh\x00i\x00", "text/plain"),
        ],
    )
    @pytest.mark.parametrize(
        "declared", [None, OTHER, "image/tiff", "nonsense", "text/html\r\nX: 1"]
    )
    def test_known_content_is_what_it_is_whatever_it_is_called(
        self, head: bytes, content_type: str, declared: str | None
    ) -> None:
        assert judge(head, declared) == content_type

    @pytest.mark.parametrize("declared", ["image/png", "text/plain", "text/css", None])
    @pytest.mark.parametrize("head", PAGES)
    def test_a_page_is_a_page(self, head: bytes, declared: str | None) -> None:
        assert judge(head, declared) == "text/html"

    @pytest.mark.parametrize("declared", ["image/png", "text/plain", "image/svg+xml"])
    @pytest.mark.parametrize("head", DRAWINGS)
    def test_a_drawing_with_scripts_is_no_picture(self, head: bytes, declared: str) -> None:
        assert judge(head, declared) == "image/svg+xml"

    @pytest.mark.parametrize(
        ("head", "declared"),
        [
            (b"a,b\n1,2", "text/csv"),
            (b"{}", "application/json"),
            (b"alert(1)", "text/javascript"),
            (b"hello", "text/plain; charset=utf-8"),
            (DOCX, WORD),
            (b"OggS\x00\x02", "audio/ogg"),
            (MP4, "audio/mp4"),
            (b"<?xml version='1.0'?><rss>", "application/rss+xml"),
            (BINARY, "application/x-something"),
        ],
    )
    def test_its_sender_may_say_what_it_is_more_closely(self, head: bytes, declared: str) -> None:
        assert judge(head, declared) == declared
        assert judge(head, declared.upper()) == declared.lower()

    @pytest.mark.parametrize("declared", sorted(INLINE_TYPES))
    @pytest.mark.parametrize("head", [BINARY, b"", b"alert(1)", b"GIF89a=1;<script>", *PAGES])
    def test_nothing_is_shown_on_its_senders_word(self, head: bytes, declared: str) -> None:
        assert judge(head, declared) not in INLINE_TYPES


class TestAgrees:
    def test_what_was_announced_agrees(self) -> None:
        assert agrees(PNG, "image/png")
        assert agrees(DOCX, WORD)
        assert agrees(b"", "text/plain")

    def test_who_does_not_know_may_say_so(self) -> None:
        assert agrees(PNG, OTHER)
        assert agrees(PAGES[0], OTHER)

    @pytest.mark.parametrize("declared", ["image/png", "text/plain", "application/pdf"])
    def test_a_page_is_not_what_it_is_called(self, declared: str) -> None:
        assert not agrees(PAGES[0], declared)
