import re
from email.message import Message
from urllib.parse import unquote

import pytest

from myapp.storage.presentation import disposition, present

NASTY_NAMES = [
    "plain.txt",
    'quo"te.txt',
    "back\\slash.txt",
    "per%20cent.txt",
    "semi;colon=x.txt",
    "line\r\nX-Evil: 1",
    "nul\0.txt",
    "Größe.pdf",
    "日本語.txt",
    "👩‍👧.png",
    "\u202egpj.exe",
    "\ud800.txt",
    "*.txt",
    "a" * 300,
]


class TestDisposition:
    @pytest.mark.parametrize("name", NASTY_NAMES)
    def test_any_name_is_one_safe_header(self, name: str) -> None:
        header = disposition("attachment", name)
        assert re.fullmatch(
            r"attachment; filename=\"[ !#$&-\[\]-~]*\"(; filename\*=[!-~]+)?", header
        )

    @pytest.mark.parametrize("name", [name for name in NASTY_NAMES if "\ud800" not in name])
    def test_the_name_can_be_read_back(self, name: str) -> None:
        header = disposition("attachment", name)
        extended = re.search(r"filename\*=UTF-8''(.*)", header)
        if extended:
            assert unquote(extended[1]) == name
        else:
            message = Message()
            message["Content-Disposition"] = header
            assert message.get_filename() == name

    def test_old_clients_get_letters_without_their_marks(self) -> None:
        header = disposition("inline", "Größe 1.pdf")
        assert (
            header == "inline; filename=\"Gro_e 1.pdf\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.pdf"
        )

    def test_without_a_name_it_has_none(self) -> None:
        assert disposition("inline", None) == disposition("inline", "") == "inline"


class TestPresent:
    @pytest.mark.parametrize("content_type", ["image/png", "audio/mpeg", "video/mp4"])
    def test_pictures_sound_and_film_are_shown(self, content_type: str) -> None:
        shown = present(content_type, "a")
        assert (shown.content_type, shown.disposition[:6]) == (content_type, "inline")

    def test_a_document_is_saved_as_what_it_is(self) -> None:
        shown = present("application/pdf")
        assert (shown.content_type, shown.disposition) == ("application/pdf", "attachment")

    @pytest.mark.parametrize(
        "content_type",
        ["text/html", "image/svg+xml", "text/javascript", "text/plain", "image/png; charset=utf-8"],
    )
    def test_anything_else_is_saved_as_bytes(self, content_type: str) -> None:
        shown = present(content_type)
        assert (shown.content_type, shown.disposition) == ("application/octet-stream", "attachment")
