import asyncio
import random
import sys
from pathlib import Path

import pytest
from tortoise.exceptions import IntegrityError, TransactionManagementError

import myapp
from myapp.config import Settings
from myapp.database.connection import Database, open_database, transaction
from myapp.database.user import User
from myapp.errors import Unavailable
from tests.support.databases import dialects, settings_for

WRITER = """
import asyncio, sys
from myapp.database.connection import open_database, transaction
from tests.support.databases import settings_for

async def main(url, rounds):
    async with open_database(settings_for(url)) as database:
        for _ in range(rounds):
            async with transaction():
                [row] = await database.client.execute_query_dict("SELECT n FROM counter")
                await asyncio.sleep(0.001)
                await database.client.execute_query_dict("UPDATE counter SET n = ?", [row["n"] + 1])

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def run_python(code: str, *arguments: str) -> tuple[int, str]:
    root = Path(myapp.__file__).parents[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, cwd=root, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    return process.returncode or 0, errors.decode()


class TestCommitAndRollback:
    async def test_what_is_inside_is_committed_together(self, database: Database) -> None:
        async with transaction():
            await User.create(name="a")
            await User.create(name="b")
        assert await User.all().count() == 2

    async def test_an_exception_rolls_back_and_comes_out(self, database: Database) -> None:
        async def fail() -> None:
            async with transaction():
                await User.create()
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        assert await User.all().count() == 0

    async def test_raw_statements_belong_to_it(self, database: Database) -> None:
        async def fail() -> None:
            async with transaction():
                await User.create(name="before")
                await database.client.execute_query_dict("UPDATE users SET name = 'after'")
                assert (await User.get()).name == "after"
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        assert await User.all().count() == 0

    async def test_others_see_nothing_before_the_commit(self, database: Database) -> None:
        begun = asyncio.Event()

        async def look() -> int:
            await begun.wait()
            return await User.all().count()

        task = asyncio.create_task(look())
        async with transaction():
            await User.create()
            begun.set()
            patience = 0.05 if database.dialect == "sqlite" else 15
            seen_inside, _ = await asyncio.wait([task], timeout=patience)
        count = await task
        # On SQLite, with its one connection, the other waits for the commit instead.
        assert count == (0 if seen_inside else 1)
        assert bool(seen_inside) == (database.dialect != "sqlite")


class TestSavepoint:
    async def test_a_failure_inside_undoes_only_the_inner_part(self, database: Database) -> None:
        async def lose(uid: str) -> None:
            async with transaction():
                await User.create(name="lost")
                await User.create(identity_uid=uid)

        async with transaction():
            await User.create(identity_uid="one")
            with pytest.raises(IntegrityError):
                await lose("one")
            await User.create(identity_uid="two")
        found = [user.identity_uid async for user in User.all().order_by("identity_uid")]
        assert found == ["one", "two"]

    async def test_the_outer_failure_undoes_the_inner_commit(self, database: Database) -> None:
        async def fail_outside() -> None:
            async with transaction():
                async with transaction():
                    await User.create()
                raise LookupError

        with pytest.raises(LookupError):
            await fail_outside()
        assert await User.all().count() == 0


class TestCancellation:
    async def test_wherever_it_strikes_all_or_nothing_remains(self, migrated: Settings) -> None:
        """More cancellations than the pool has connections: one leak each would be its end."""
        url = migrated.database_url.get_secret_value() if migrated.database_url else ""
        settings = settings_for(url if url.startswith("sqlite") else f"{url}?pool_size=2")

        async def work(name: str) -> None:
            async with transaction():
                await User.create(name=name)
                await User.create(name=name)
                async with transaction():
                    await User.create(name=name)

        async with open_database(settings):
            await User.all().delete()
            for number in range(60):
                task = asyncio.create_task(work(str(number)))
                await asyncio.sleep(random.uniform(0, 0.006))
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert task.cancelled() or task.exception() is None
            await asyncio.wait_for(work("last"), 5)
            names = [user.name async for user in User.all()]
        assert {names.count(name) for name in names} == {3}
        assert "last" in names

    async def test_a_cancelled_bulk_insert_leaves_nothing_open(self, database: Database) -> None:
        async def insert() -> None:
            await User.bulk_create([User() for _ in range(2000)])

        for pause in (0.0, 0.02, 0.05):
            task = asyncio.create_task(insert())
            await asyncio.sleep(pause)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await User.all().count() in (0, 2000)
            await User.all().delete()
        await User.create(name="kept")
        assert await User.all().count() == 1

    async def test_a_timeout_inside_comes_out_as_one(self, database: Database) -> None:
        async def work_for_ever() -> None:
            async with asyncio.timeout(0.05), transaction():
                await User.create()
                while True:
                    await User.all().count()

        with pytest.raises(TimeoutError):
            await work_for_ever()
        assert await User.all().count() == 0

    async def test_a_task_that_outlives_it_cannot_write_into_another(
        self, database: Database
    ) -> None:
        go = asyncio.Event()

        async def late() -> None:
            await go.wait()
            await User.create(name="late")

        async with transaction():
            task = asyncio.create_task(late())
        async with transaction():
            go.set()
            with pytest.raises(TransactionManagementError):
                await task
        assert await User.all().count() == 0


class TestConcurrency:
    async def test_updates_of_one_row_are_not_lost(self, database: Database) -> None:
        user = await User.create(name="0")

        async def add() -> None:
            async with transaction():
                row = await User.select_for_update().get(id=user.id)
                row.name = str(int(row.name or 0) + 1)
                await row.save()

        await asyncio.gather(*(add() for _ in range(20)))
        assert (await User.get(id=user.id)).name == "20"

    async def test_a_row_that_another_just_committed_is_seen(self, database: Database) -> None:
        """On MySQL this needs READ COMMITTED."""
        if database.dialect == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        begun, committed = asyncio.Event(), asyncio.Event()

        async def other() -> None:
            await begun.wait()
            await User.create(identity_uid="same")
            committed.set()

        async def create_inside() -> None:
            async with transaction():
                await User.create(identity_uid="same")

        task = asyncio.create_task(other())
        async with transaction():
            assert await User.by_identity("same") is None
            begun.set()
            await committed.wait()
            with pytest.raises(IntegrityError):
                await create_inside()
            assert await User.by_identity("same") is not None
        await task


@pytest.mark.skipif("sqlite" not in dialects(), reason="SQLite is not tested here")
class TestSqliteProcesses:
    async def test_writers_in_several_processes_wait_for_each_other(self, tmp_path: Path) -> None:
        url = f"sqlite://{tmp_path}/app.db"
        async with open_database(settings_for(url)) as database:
            await database.client.execute_script(
                "CREATE TABLE counter (n INTEGER); INSERT INTO counter VALUES (0)"
            )
        outcomes = await asyncio.gather(*(run_python(WRITER, url, "50") for _ in range(3)))
        assert outcomes == [(0, "")] * 3
        async with open_database(settings_for(url)) as database:
            assert await database.client.execute_query_dict("SELECT n FROM counter") == [{"n": 150}]

    async def test_a_lock_that_is_never_given_back_is_an_outage(self, tmp_path: Path) -> None:
        async def begin() -> None:
            async with transaction():
                pass

        url = f"sqlite://{tmp_path}/app.db"
        async with open_database(settings_for(url)) as database:
            await database.client.execute_script("CREATE TABLE t (a INTEGER)")
            await database.client.execute_script("PRAGMA busy_timeout = 100")
            blocker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c"),
                "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
                "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()",
                str(tmp_path / "app.db"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert blocker.stdout is not None
            await blocker.stdout.readline()
            with pytest.raises(Unavailable):
                await begin()
            await database.ping()
            await blocker.communicate(b"")
            async with transaction():
                await database.client.execute_query_dict("INSERT INTO t VALUES (1)")
