from pathlib import Path

import pytest

from myapp.config import Settings
from myapp.database.connection import Database, connected
from myapp.database.migration_writer import URLS, draft, make
from myapp.database.migrations import MigrationError, apply, migration_files, migrations_folder
from myapp.database.url import parse_target
from myapp.database.user import User
from myapp.errors import Invalid
from tests.support.databases import dialects, settings_for

MODULE = """
from tortoise import fields
from myapp.database.base import Entity
from myapp.database.fields import KeyField

class {name}(Entity):
    '''Somebody's things.'''
{fields}
    class Meta:
        table = "things"
"""


def define(folder: Path, module: str, *lines: str) -> str:
    """A module with one entity of these fields; entities of one table are its versions."""
    body = "".join(f"    {line}\n" for line in lines)
    (folder / f"{module}.py").write_text(MODULE.format(name="Thing", fields=body))
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def number_of_files(folder: Path) -> list[int]:
    return [len(migration_files(dialect, folder)) for dialect in URLS]


class TestTheRealMigrations:
    @pytest.mark.parametrize("dialect", URLS)
    async def test_they_are_the_entities_present_state(self, dialect: str) -> None:
        """Else: `myapp makemigrations NAME`."""
        drafted = await draft(dialect, migrations_folder())  # type: ignore[arg-type]  # a Dialect
        assert not drafted.changes, drafted.text

    async def test_writing_does_not_disturb_an_open_database(self, database: Database) -> None:
        await User.create(name="before")
        for dialect in URLS:
            await draft(dialect, migrations_folder())
        await User.create(name="after")
        assert await User.filter(name__in=["before", "after"]).count() == 2


class TestMake:
    async def test_it_writes_all_three_and_then_nothing(self, folder: Path) -> None:
        models = [define(folder, "first_a", "name = fields.CharField(20)")]
        first = await make("init", folder=folder, models=models)
        assert len(first.files) == 3
        assert len({path.name for path in first.files}) == 1
        assert (await make("again", folder=folder, models=models)).files == ()
        assert number_of_files(folder) == [1, 1, 1]

    async def test_what_it_writes_applies_and_keeps_the_rows(
        self, folder: Path, empty: Settings
    ) -> None:
        before = [define(folder, "grow_a", "name = fields.CharField(20, description='a \\\\ b')")]
        after = [
            define(
                folder,
                "grow_b",
                "name = fields.CharField(20, description='a \\\\ b')",
                "key = KeyField(30, null=True, unique=True)",
                "size = fields.IntField(default=7, db_index=True)",
            )
        ]
        await make("init", folder=folder, models=before)
        await apply(empty, folder=folder)
        insert = "INSERT INTO things (id, created_at, updated_at, name) VALUES"
        when = "'2024-01-01 00:00:00'"
        async with connected(parse_target(empty)) as context:
            await context.db().execute_script(
                f"{insert} ('018f0000-0000-7000-8000-000000000000', {when}, {when}, 'kept')"
            )
        written = await make("grow", folder=folder, models=after)
        assert written.by_hand == ()
        assert await apply(empty, folder=folder) == [written.files[0].name]
        async with connected(parse_target(empty)) as context:
            rows = await context.db().execute_query_dict("SELECT name, size FROM things")
        assert rows == [{"name": "kept", "size": 7}]
        assert (await make("again", folder=folder, models=after)).files == ()

    async def test_a_key_is_binary_on_mysql_when_it_is_added_too(self, folder: Path) -> None:
        await make("init", folder=folder, models=[define(folder, "key_a", "")])
        added = [define(folder, "key_b", "key = KeyField(30, null=True)")]
        written = await make("key", folder=folder, models=added)
        texts = {path.parent.name: path.read_text() for path in written.files}
        assert "VARBINARY(120)" in texts["mysql"]
        assert "VARCHAR(30)" in texts["postgres"]
        assert "VARCHAR(30)" in texts["sqlite"]

    async def test_a_change_of_some_dialects_is_recorded_in_all(
        self, folder: Path, empty: Settings
    ) -> None:
        """SQLite keeps no comments."""
        before = [define(folder, "comment_a", "a = fields.IntField(description='old')")]
        after = [define(folder, "comment_b", "a = fields.IntField(description='new')")]
        await make("init", folder=folder, models=before)
        written = await make("comment", folder=folder, models=after)
        assert (len(written.files), written.by_hand) == (3, ())
        assert len(await apply(empty, folder=folder)) == 2
        assert (await make("again", folder=folder, models=after)).files == ()

    @pytest.mark.parametrize(
        "change", ["fields.CharField(40)", "fields.CharField(20, null=True)", "fields.IntField()"]
    )
    async def test_what_sqlite_cannot_alter_is_left_to_hands(
        self, folder: Path, change: str
    ) -> None:
        name = f"by_hand_{abs(hash(change))}"
        await make(
            "init", folder=folder, models=[define(folder, f"{name}_a", "a = fields.CharField(20)")]
        )
        models = [define(folder, f"{name}_b", f"a = {change}")]
        written = await make("alter", folder=folder, models=models)
        assert len(written.files) == 3
        assert len(written.by_hand) == 1
        assert "things.a" in written.by_hand[0]
        assert "sqlite" in written.by_hand[0]
        texts = {path.parent.name: path.read_text() for path in written.files}
        assert "rebuild_by_hand" in texts["sqlite"]
        assert "ALTER" in texts["postgres"]
        assert "rebuild_by_hand" not in texts["postgres"] + texts["mysql"]
        assert (await make("again", folder=folder, models=models)).files == ()

    @pytest.mark.skipif("sqlite" not in dialects(), reason="SQLite is not tested here")
    async def test_what_was_left_to_hands_does_not_apply(self, folder: Path) -> None:
        before = [define(folder, "left_a", "a = fields.CharField(20)")]
        await make("init", folder=folder, models=before)
        await make(
            "alter", folder=folder, models=[define(folder, "left_b", "a = fields.CharField(40)")]
        )
        with pytest.raises(MigrationError, match="rebuild_by_hand"):
            await apply(settings_for(f"sqlite://{folder}/app.db"), folder=folder)

    @pytest.mark.parametrize("name", ["", "A", "1st", "a-b", "a b", "../a", "a" * 61, "é"])
    async def test_a_bad_name_is_refused(self, folder: Path, name: str) -> None:
        with pytest.raises(Invalid) as refusal:
            await make(name, folder=folder)
        assert [fault.field for fault in refusal.value.details] == ["NAME"]
        assert number_of_files(folder) == [0, 0, 0]

    async def test_folders_that_differ_are_refused(self, folder: Path) -> None:
        models = [define(folder, "differ_a", "")]
        written = await make("init", folder=folder, models=models)
        written.files[1].unlink()
        with pytest.raises(MigrationError, match="differ"):
            await make("next", folder=folder, models=models)

    async def test_all_three_or_none(self, folder: Path) -> None:
        (folder / "mysql").touch()
        with pytest.raises(OSError, match="mysql"):
            await make("init", folder=folder, models=[define(folder, "none_a", "")])
        assert list((folder / "sqlite").glob("*.py")) == []
        assert list((folder / "postgres").glob("*.py")) == []

    async def test_it_prints_nothing(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        await make("init", folder=folder, models=[define(folder, "quiet_a", "")])
        await make(
            "next",
            folder=folder,
            models=[define(folder, "quiet_b", "a = fields.IntField(null=True)")],
        )
        assert capfd.readouterr().out == ""
