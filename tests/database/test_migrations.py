import asyncio
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from tortoise.exceptions import OperationalError

import myapp
from myapp.config import Settings
from myapp.database.connection import Database, open_database
from myapp.database.migrations import (
    MigrationError,
    apply,
    migration_files,
    migrations_folder,
    pending,
)
from myapp.database.url import Dialect
from myapp.database.user import User
from myapp.enums import UserStatus
from tests.support.databases import dialects, settings_for

ROOT = Path(myapp.__file__).parents[1]
MIGRATION = '''
RUN_IN_TRANSACTION = True

async def upgrade(db):
    return """{sql}"""
'''
FIRST_USER = """
INSERT INTO users
    (id, created_at, updated_at, identity_uid, email, email_key, name, status, role)
VALUES (
    '00000000-0000-0000-0000-000000000001', '2026-11-22 12:00:00.000005{zone}',
    '2026-11-22 12:00:00{zone}', 'local:ada', 'Ada@example.com', 'ada@example.com', 'Ada',
    'active', 'user'
)
"""
STARTER = """
import asyncio, sys
from myapp.database.connection import open_database
from myapp.database.migrations import apply
from myapp.database.user import User
from tests.support.databases import settings_for

async def main(settings):
    await apply(settings)
    async with open_database(settings):
        await User.create()

asyncio.run(main(settings_for(sys.argv[1])))
"""


def write(folder: Path, name: str, sql: str) -> None:
    """A migration of every dialect, besides the real ones."""
    for dialect in ("sqlite", "postgres", "mysql"):
        if not (folder / dialect).exists():
            shutil.copytree(migrations_folder() / dialect, folder / dialect)
        (folder / dialect / name).write_text(MIGRATION.format(sql=sql))


async def execute(settings: Settings, sql: str) -> None:
    async with open_database(settings) as database:
        await database.client.execute_script(sql)


async def tables(settings: Settings, *names: str) -> list[str]:
    """Which of these tables can be read."""
    found = []
    async with open_database(settings) as database:
        for name in names:
            try:
                await database.client.execute_query_dict(f"SELECT * FROM {name}")
            except OperationalError:
                continue
            found.append(name)
    return found


class TestApply:
    async def test_from_nothing_to_the_present(self, empty: Settings) -> None:
        async with open_database(empty) as database:
            names = await pending(database)
            assert names == [path.name for path in migration_files(database.dialect)]
            assert await apply(empty) == names
            assert await pending(database) == []
            assert await apply(empty) == []
            await User.create(name="first")

    async def test_rows_of_the_first_schema_come_along(
        self, empty: Settings, dialect: Dialect, tmp_path: Path
    ) -> None:
        first = migration_files(dialect)[0]
        (tmp_path / dialect).mkdir()
        shutil.copy(first, tmp_path / dialect)
        assert await apply(empty, folder=tmp_path) == [first.name]
        await execute(empty, FIRST_USER.format(zone="" if dialect == "mysql" else "+00:00"))

        assert await apply(empty) == [path.name for path in migration_files(dialect)[1:]]
        async with open_database(empty):
            user = await User.by_identity("local:ada")
            assert user
            assert (user.id, user.email, user.name) == (UUID(int=1), "Ada@example.com", "Ada")
            assert user.created_at == datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC)
            active = [UserStatus.ACTIVE]
            assert await User.matching(statuses=active, q="ADA@EX").values_list("id") == [
                (user.id,)
            ]

    async def test_what_was_applied_is_recorded_with_the_state_of_the_entities(
        self, database: Database
    ) -> None:
        rows = await database.client.execute_query_dict("SELECT app, version, content FROM aerich")
        assert [row["version"] for row in rows] == [
            path.name for path in migration_files(database.dialect)
        ]
        assert all(row["app"] == "models" and "models.User" in row["content"] for row in rows)

    async def test_runners_take_turns(self, empty: Settings, tmp_path: Path) -> None:
        write(tmp_path, "99_wait.py", "CREATE TABLE once (a INTEGER);")
        runs = await asyncio.gather(*(apply(empty, folder=tmp_path) for _ in range(4)))
        assert sorted(map(len, runs)) == [0, 0, 0, len(migration_files("sqlite", tmp_path))]
        assert await tables(empty, "once") == ["once"]

    async def test_a_pool_of_one_connection_will_do(
        self, empty: Settings, dialect: Dialect
    ) -> None:
        if dialect == "sqlite":
            pytest.skip("SQLite has no pool_size")
        assert empty.database_url
        settings = settings_for(f"{empty.database_url.get_secret_value()}?pool_size=1")
        names = [path.name for path in migration_files(dialect)]
        assert await apply(settings) == names
        async with open_database(settings) as database:
            assert await pending(database) == []

    async def test_it_prints_nothing(
        self, empty: Settings, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """But what the log prints, where it is not set up."""
        await apply(empty)
        printed = capfd.readouterr()
        assert [line for line in printed.out.splitlines() if "migration applied" not in line] == []
        assert printed.err == ""

    async def test_numbers_are_compared_as_numbers(self, tmp_path: Path) -> None:
        write(tmp_path, "100_later.py", "")
        write(tmp_path, "99_sooner.py", "")
        names = [path.name for path in migration_files("sqlite", tmp_path)]
        assert names[-2:] == ["99_sooner.py", "100_later.py"]

    async def test_an_empty_migration_is_recorded(self, empty: Settings, tmp_path: Path) -> None:
        write(tmp_path, "99_empty.py", "")
        assert (await apply(empty, folder=tmp_path))[-1] == "99_empty.py"
        assert await apply(empty, folder=tmp_path) == []


class TestFailure:
    async def test_half_a_migration_is_none_but_on_mysql(
        self, empty: Settings, tmp_path: Path
    ) -> None:
        write(
            tmp_path,
            "99_broken.py",
            "CREATE TABLE half (a VARCHAR(9)); INSERT INTO half VALUES (';');"
            "CREATE TABLE users (a INTEGER); CREATE TABLE never (a INTEGER);",
        )
        with pytest.raises(MigrationError, match=r"99_broken\.py") as failure:
            await apply(empty, folder=tmp_path)
        async with open_database(empty) as database:
            dialect = database.dialect
            rows = await database.client.execute_query_dict("SELECT version FROM aerich")
        assert "99_broken.py" not in [row["version"] for row in rows]
        assert await tables(empty, "half", "never") == (["half"] if dialect == "mysql" else [])
        assert ("by hand" in str(failure.value)) == (dialect == "mysql")

    async def test_the_next_run_goes_on_where_it_failed(
        self, empty: Settings, tmp_path: Path
    ) -> None:
        write(tmp_path, "99_later.py", "CREATE TABLE users (a INTEGER);")
        with pytest.raises(MigrationError):
            await apply(empty, folder=tmp_path)
        write(tmp_path, "99_later.py", "CREATE TABLE mended (a INTEGER);")
        assert await apply(empty, folder=tmp_path) == ["99_later.py"]
        assert await tables(empty, "mended") == ["mended"]

    async def test_a_killed_runner_keeps_nobody_waiting(
        self, empty: Settings, tmp_path: Path
    ) -> None:
        runs = [asyncio.create_task(apply(empty)) for _ in range(3)]
        await asyncio.sleep(0.01)
        runs[0].cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        async with asyncio.timeout(30):
            await apply(empty)


@pytest.mark.skipif("sqlite" not in dialects(), reason="SQLite is not tested here")
class TestSqlite:
    async def test_a_rebuilt_table_keeps_what_refers_to_it(self, tmp_path: Path) -> None:
        settings = settings_for(f"sqlite://{tmp_path}/app.db")
        write(
            tmp_path,
            "98_parents.py",
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
            "CREATE TABLE child (id INTEGER REFERENCES parent (id) ON DELETE CASCADE);"
            "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);",
        )
        write(
            tmp_path,
            "99_rebuild.py",
            "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT);"
            "INSERT INTO parent_new (id) SELECT id FROM parent; DROP TABLE parent;"
            "ALTER TABLE parent_new RENAME TO parent;",
        )
        await apply(settings, folder=tmp_path)
        async with open_database(settings) as database:
            assert await database.client.execute_query_dict("SELECT id FROM child") == [{"id": 1}]

    async def test_a_reference_to_nothing_is_refused(self, tmp_path: Path) -> None:
        settings = settings_for(f"sqlite://{tmp_path}/app.db")
        write(
            tmp_path,
            "99_orphan.py",
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
            "CREATE TABLE child (id INTEGER REFERENCES parent (id));"
            "INSERT INTO child VALUES (1);",
        )
        with pytest.raises(MigrationError, match="child"):
            await apply(settings, folder=tmp_path)
        assert await tables(settings, "parent") == []

    async def test_processes_that_start_at_once_all_come_up(self, tmp_path: Path) -> None:
        url = f"sqlite://{tmp_path}/data/app.db"
        starting = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, url, cwd=ROOT)
            for _ in range(4)
        ]
        assert [await process.wait() for process in starting] == [0, 0, 0, 0]
        async with open_database(settings_for(url)):
            assert await User.all().count() == 4


class TestWheel:
    def test_it_carries_the_migrations_and_finds_them(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        site = tmp_path / "site"
        with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
            wheel.extractall(site)
        look = (
            "from myapp.database.migrations import *\n"
            "print(migrations_folder())\n"
            "print([path.name for path in migration_files('mysql')])"
        )
        command = [sys.executable, "-c", look]
        found = subprocess.run(command, cwd=site, check=True, capture_output=True, text=True)
        names = [path.name for path in migration_files("mysql", ROOT / "migrations")]
        assert found.stdout.splitlines() == [str(site / "myapp" / "migrations"), str(names)]
        assert names


class TestImports:
    def test_serving_needs_no_aerich_and_no_quart(self) -> None:
        look = (
            "import sys\n"
            "import myapp.database.user, myapp.database.connection, myapp.database.migrations\n"
            "print(sorted({'aerich', 'quart', 'asyncclick'} & set(sys.modules)))"
        )
        command = [sys.executable, "-c", look]
        found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        assert found.stdout.strip() == "[]"
