"""Secrets in files: made once, by whoever comes first, and never half."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from myapp.errors import ConfigError
from myapp.secrets import derive_key, read_or_make

MAKE = """
import sys
from pathlib import Path
from myapp.secrets import read_or_make
sys.stdin.readline()
sys.stdout.buffer.write(read_or_make(Path(sys.argv[1])))
"""


class TestReadOrMake:
    def test_the_same_secret_comes_back(self, tmp_path: Path) -> None:
        made = read_or_make(tmp_path / "secret")

        assert len(made) >= 32
        assert read_or_make(tmp_path / "secret") == made

    def test_two_files_hold_two_secrets(self, tmp_path: Path) -> None:
        assert read_or_make(tmp_path / "one") != read_or_make(tmp_path / "two")

    def test_only_the_owner_can_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "folder" / "secret"
        read_or_make(path)

        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_nothing_but_the_secret_is_left_in_the_folder(self, tmp_path: Path) -> None:
        read_or_make(tmp_path / "secret")

        assert list(tmp_path.iterdir()) == [tmp_path / "secret"]

    def test_it_is_the_same_secret_in_an_environment_variable(self, tmp_path: Path) -> None:
        made = read_or_make(tmp_path / "secret")

        assert (tmp_path / "secret").read_text(encoding="ascii").encode() == made

    def test_an_editors_last_line_break_is_no_part_of_it(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("x" * 40 + "\n")

        assert read_or_make(tmp_path / "secret") == b"x" * 40

    def test_processes_that_start_at_once_get_the_same(self, tmp_path: Path) -> None:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", MAKE, tmp_path / "secret"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdin
            process.stdin.write(b"\n")
            process.stdin.flush()

        secrets = {process.communicate()[0] for process in processes}

        assert secrets == {read_or_make(tmp_path / "secret")}

    def test_the_one_that_was_there_first_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, link = tmp_path / "secret", Path.hardlink_to

        def be_too_late(target: Path, draft: Path) -> None:
            path.write_bytes(b"f" * 40)
            link(target, draft)

        monkeypatch.setattr(Path, "hardlink_to", be_too_late)

        assert read_or_make(path) == b"f" * 40
        assert list(tmp_path.iterdir()) == [tmp_path / "secret"]

    @pytest.mark.parametrize("content", [b"", b"\n", b"too short"])
    def test_a_spoilt_file_is_refused_and_kept(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "secret"
        path.write_bytes(content)

        with pytest.raises(ConfigError, match=r"^DATA_DIR: .*secret.* less than 32 bytes$"):
            read_or_make(path)

        assert path.read_bytes() == content

    def test_a_file_that_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "secret").mkdir()

        with pytest.raises(ConfigError, match=r"^DATA_DIR: .*secret.* cannot be used: Is a dir"):
            read_or_make(tmp_path / "secret")

    def test_a_folder_that_cannot_be_made_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(ConfigError, match=r"^DATA_DIR: .* cannot be used: "):
            read_or_make(tmp_path / "file" / "secret")


class TestDeriveKey:
    def test_it_is_the_standard_hkdf(self) -> None:
        standard = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"tokens")

        assert derive_key(b"s" * 32, "tokens") == standard.derive(b"s" * 32)

    def test_each_purpose_has_its_own_key(self) -> None:
        assert derive_key(b"s" * 32, "tokens") != derive_key(b"s" * 32, "urls")

    def test_each_secret_has_its_own_key(self) -> None:
        assert derive_key(b"s" * 32, "tokens") != derive_key(b"t" * 32, "tokens")
