import pytest

from myapp.modules.file.filename import clean_filename


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("report.pdf", "report.pdf"),
        (" report.pdf ", "report.pdf"),
        (".hidden", ".hidden"),
        ("a/b\\c.txt", "c.txt"),
        ("/", "file"),
        ("", "file"),
        ("...", "file"),
        ("\u202e\ufeff", "file"),
        ("a\r\nb\tc\x7f\x85\u2028", "abc"),
        ("a\ud800b", "ab"),
        ("u\u0308", "ü"),
        ("\u06a9\u200c\u0647", "\u06a9\u200c\u0647"),
        ("x" * 300, "x" * 255),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
        ("x." + "y" * 300, "x." + "y" * 253),
        ("." + "y" * 300, "." + "y" * 254),
    ],
)
def test_a_name_keeps_what_can_be_shown(name: str, clean: str) -> None:
    assert clean_filename(name) == clean
    assert clean_filename(clean) == clean
