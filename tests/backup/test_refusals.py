"""What backup and restore refuse, and that nothing is touched then."""

import fcntl
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from myapp.backup import check_coverage, restore, save
from myapp.backup.layout import FILES, QUEUE
from myapp.backup.restoring import move_parts
from myapp.config import Settings
from myapp.data_folder import RESTORING, refuse_half_restored
from myapp.embedded.watcher import USERS_LOCK, open_lock, try_lock
from myapp.errors import AppError, ConfigError, Conflict, Invalid, NotFound
from myapp.resources import open_resources
from tests.backup.conftest import QUIET


def settings_of(data_dir: Path, **values: object) -> Settings:
    return Settings(_env_file=None, data_dir=data_dir, **values)  # type: ignore[call-arg,arg-type]  # pydantic's own


async def refuse_restore(data_dir: Path, archive: Path, kind: type[AppError]) -> str:
    with pytest.raises(kind) as caught:
        await restore(settings_of(data_dir), archive, QUIET)
    return caught.value.text


class TestRestore:
    async def test_takes_an_empty_folder_or_none(self, archive: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        for name in ("empty", "none"):
            await restore(settings_of(tmp_path / name), archive, QUIET)
            assert (tmp_path / name / "app.db").exists()
            assert not (tmp_path / f".{name}.restoring").exists()

    async def test_refuses_a_folder_that_holds_something(
        self, archive: Path, tmp_path: Path
    ) -> None:
        home = tmp_path / "home"
        home.mkdir()
        (home / "mine").touch()
        assert "not empty" in await refuse_restore(home, archive, Conflict)
        assert [path.name for path in home.iterdir()] == ["mine"]  # it is short

    async def test_refuses_a_folder_that_a_program_uses(
        self, archive: Path, tmp_path: Path
    ) -> None:
        home = tmp_path / "home"
        (home / QUEUE).mkdir(parents=True)
        lock = open_lock(home / QUEUE / USERS_LOCK)
        try:
            assert try_lock(lock, fcntl.LOCK_SH)
            assert "in use" in await refuse_restore(home, archive, Conflict)
        finally:
            os.close(lock)

    async def test_of_a_damaged_archive_leaves_nothing(self, archive: Path, tmp_path: Path) -> None:
        os.truncate(archive, 10_000)
        before = sorted(os.listdir(tmp_path))  # noqa: PTH208  # names alone
        await refuse_restore(tmp_path / "home", archive, Invalid)
        await refuse_restore(tmp_path / "home", tmp_path / "no.tar", NotFound)
        assert sorted(os.listdir(tmp_path)) == before  # noqa: PTH208  # as above


class TestRestoreInside:
    """Where the folder itself cannot be replaced, as with a volume; here, after one was cut off."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        home = tmp_path / "home"
        (home / RESTORING / "home").mkdir(parents=True)
        (home / FILES / "00").mkdir(parents=True)
        (home / "secret.key").write_text("half")
        return home

    async def test_begins_anew_and_ends_without_its_mark(
        self, archive: Path, home: Path, parts: Path
    ) -> None:
        with pytest.raises(ConfigError, match="run it again"):
            refuse_half_restored(home)
        await restore(settings_of(home), archive, QUIET)
        refuse_half_restored(home)
        assert names_below(home) == names_below(parts)
        assert (home / "secret.key").read_text() == (parts / "secret.key").read_text()

    async def test_no_program_starts_before(self, home: Path) -> None:
        with pytest.raises(ConfigError, match="run it again"):
            async with open_resources(settings_of(home)):
                pass

    async def test_half_of_it_is_not_backed_up(self, home: Path, tmp_path: Path) -> None:
        (home / "app.db").touch()
        with pytest.raises(ConfigError, match="run it again"):
            await save(settings_of(home), tmp_path / "new", QUIET)
        assert not (tmp_path / "new").exists()

    async def test_refuses_what_no_restore_has_put_there(self, archive: Path, home: Path) -> None:
        (home / "mine").touch()
        assert "not empty" in await refuse_restore(home, archive, Conflict)
        assert (home / "secret.key").exists()

    def test_takes_back_what_it_has_moved_when_a_part_is_in_the_way(
        self, parts: Path, tmp_path: Path
    ) -> None:
        home = tmp_path / "other"
        (home / "app.db").mkdir(parents=True)
        with pytest.raises(OSError, match=r"app\.db"):
            move_parts(parts, home)
        assert names_below(home) == {"app.db"}


def names_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


class TestBackup:
    async def test_refuses_to_overwrite(self, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("mine")
        with pytest.raises(Conflict, match="exists"):
            await save(settings_of(tmp_path / "data"), tmp_path / "taken", QUIET)
        assert (tmp_path / "taken").read_text() == "mine"

    async def test_has_nothing_to_do_without_data(self, tmp_path: Path) -> None:
        for target in (tmp_path / "new", tmp_path / "nowhere" / "new"):
            with pytest.raises(NotFound):
                await save(settings_of(tmp_path / "data"), target, QUIET)


class TestCoverage:
    def test_needs_the_embedded_database(self, tmp_path: Path) -> None:
        settings = settings_of(tmp_path, database_url=SecretStr("postgres://db/app"))
        with pytest.raises(Conflict, match="DATABASE_URL"):
            check_coverage(settings)

    def test_names_what_lies_elsewhere(self, tmp_path: Path) -> None:
        assert check_coverage(settings_of(tmp_path)) == []
        elsewhere = settings_of(
            tmp_path,
            redis_url=SecretStr("redis://cache"),
            storage_url="s3://bucket/prefix",
            secret_key=SecretStr("x" * 32),
        )
        sentences = check_coverage(elsewhere)
        assert [each.split(" ")[0] for each in sentences] == [
            *("REDIS_URL", "STORAGE_URL", "SECRET_KEY"),
        ]
