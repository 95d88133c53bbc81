"""Archives: whole or refused."""

import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from myapp.backup.archive import new_file
from myapp.backup.extraction import extract
from myapp.errors import Conflict, Invalid
from tests.backup.conftest import QUIET, Members

Rewrite = Callable[[Callable[[Members], Members]], Path]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def member(name: str, content: bytes = b"x", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in changes.items():
        setattr(info, field, value)
    return info, content if info.isreg() else b""


def refused(archive: Path, folder: Path) -> str:
    with pytest.raises(Invalid) as caught:
        extract(archive, folder, QUIET)
    return caught.value.text


class TestNewFile:
    def test_is_its_owners_alone_and_has_its_name_when_it_is_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "new"
        with new_file(path) as file:
            file.write(b"content")
            (draft,) = tmp_path.iterdir()
            assert (draft.name != "new", stat.S_IMODE(draft.stat().st_mode)) == (True, 0o600)
        assert [each.name for each in tmp_path.iterdir()] == ["new"]
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"content", 0o600)

    def test_replaces_nothing_that_came_meanwhile(self, tmp_path: Path) -> None:
        path = tmp_path / "new"
        with pytest.raises(Conflict), new_file(path) as file:
            file.write(b"content")
            path.write_text("somebody else's")
        assert contents(tmp_path) == {"new": b"somebody else's"}

    def test_is_nowhere_after_a_failure(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), new_file(tmp_path / "new"):
            raise ZeroDivisionError
        assert contents(tmp_path) == {}


class TestExtract:
    def test_gives_back_what_was_written(self, archive: Path, parts: Path, tmp_path: Path) -> None:
        header = extract(archive, tmp_path / "out", QUIET)
        assert header.format == 1
        assert contents(tmp_path / "out") == contents(parts)
        paths = [*(tmp_path / "out").rglob("*")]
        assert [path for path in paths if path.stat().st_mode & 0o077] == []

    def test_refuses_one_that_was_cut_at_any_place(self, archive: Path, tmp_path: Path) -> None:
        whole = archive.read_bytes()
        end = whole.rindex(b"}") + 1  # of the manifest; what follows is padding
        for number, size in enumerate(range(0, end, 2048)):
            archive.write_bytes(whole[:size])
            refused(archive, tmp_path / str(number))

    def test_refuses_a_changed_byte_of_any_member(self, archive: Path, tmp_path: Path) -> None:
        whole = archive.read_bytes()
        with tarfile.open(archive) as tar:
            places = [(one.name, one.offset_data + one.size // 2) for one in tar.getmembers()]
        for number, (_, at) in enumerate(places):
            archive.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            refused(archive, tmp_path / str(number))

    @pytest.mark.parametrize(
        "bad",
        [
            member("../escaped"),
            member("/tmp/escaped"),
            member("files/../../escaped"),
            member("files/3f/../escaped"),
            member("valkey/users.lock"),
            member(".env"),
            member("files/3f/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            member("files/3f/hard", type=tarfile.LNKTYPE, linkname="secret.key"),
            member("files/3f/device", type=tarfile.CHRTYPE),
            member("files/3f/pipe", type=tarfile.FIFOTYPE),
            member("files", type=tarfile.DIRTYPE),
            member("secret.key"),
            member("files/3f/stowaway"),
        ],
        ids=lambda bad: f"{bad[0].name} {bad[0].type!r}",
    )
    def test_refuses_a_member_that_no_backup_has(
        self, rewrite: Rewrite, tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes]
    ) -> None:
        before = set(tmp_path.iterdir())
        changed = rewrite(lambda members: [*members[:-1], bad, members[-1]])
        refused(changed, tmp_path / "out")
        assert set(tmp_path.iterdir()) - before <= {tmp_path / "out"}

    def test_refuses_what_lacks_a_member_or_has_one_behind_its_end(
        self, rewrite: Rewrite, tmp_path: Path
    ) -> None:
        rewrite(lambda members: [*members, member("files/3f/late")])
        assert "follows" in refused(rewrite(lambda members: members), tmp_path / "1")
        changed = rewrite(lambda members: [*members[:1], *members[2:-1]])
        assert "is missing" in refused(changed, tmp_path / "2")

    def test_says_that_another_release_wrote_it(self, rewrite: Rewrite, tmp_path: Path) -> None:
        def raise_format(members: Members) -> Members:
            content = members[0][1].replace(b'"format": 1', b'"format": 2')
            return [member("backup.json", content), *members[1:]]

        assert "its format is 2" in refused(rewrite(raise_format), tmp_path / "out")

    @pytest.mark.parametrize("content", [b"", b"x" * 5000, b"\x1f\x8b" + bytes(2000)])
    def test_refuses_what_is_no_archive(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "other"
        path.write_bytes(content)
        assert str(path) in refused(path, tmp_path / "out")
