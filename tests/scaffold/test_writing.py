"""All files or none."""

import sys
from pathlib import Path

import pytest

from myapp.scaffold.refusal import Refused
from myapp.scaffold.writing import check_tools, move_in


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else b""
        for path in root.rglob("*")
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "all.py").write_text("old")
    return tmp_path


def test_ruff_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    check_tools()
    monkeypatch.setitem(sys.modules, "ruff", None)
    with pytest.raises(Refused, match="ruff"):
        check_tools()


def test_new_files_come_with_their_folders_and_old_ones_are_replaced(root: Path) -> None:
    move_in({Path("a/b/new.py"): b"new", Path("lists/all.py"): b"changed"}, root)
    assert (root / "a/b/new.py").read_text() == "new"
    assert (root / "lists/all.py").read_text() == "changed"
    assert sorted(path.name for path in root.rglob("*.*")) == ["all.py", "new.py"]


def test_when_one_cannot_be_written_the_others_go_back(root: Path) -> None:
    (root / "blocked").write_text("a file, and no folder")
    before = contents(root)
    files = {
        Path("a/b/new.py"): b"new",
        Path("lists/all.py"): b"changed",
        Path("blocked/new.py"): b"new",
    }
    with pytest.raises(Refused, match="blocked"):
        move_in(files, root)
    assert contents(root) == before
