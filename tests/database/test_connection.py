import asyncio
import stat
from pathlib import Path

import pytest
import uvloop

from myapp.config import ConfigError, Settings
from myapp.database.connection import Database, open_database
from myapp.database.engines.sqlite import connect
from myapp.database.user import User
from tests.support.databases import dialects, settings_for

OPEN_FILES = Path("/proc/self/fd")
only_sqlite = pytest.mark.skipif("sqlite" not in dialects(), reason="SQLite is not tested here")


def open_files() -> set[Path]:
    return {each.resolve() for each in OPEN_FILES.iterdir()}


async def serve_one_request() -> int:
    """What a server does: a task that is born in a protocol's callback."""
    counts: asyncio.Queue[int] = asyncio.Queue()

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts.put_nowait(await User.all().count())
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        count = await asyncio.wait_for(counts.get(), 5)
        writer.close()
        await writer.wait_closed()
    return count


class TestOpenDatabase:
    async def test_it_answers(self, database: Database) -> None:
        await database.ping()
        assert await database.client.execute_query_dict("SELECT 1 AS one") == [{"one": 1}]

    async def test_tasks_that_a_server_starts_later_find_it(self, database: Database) -> None:
        await User.create()
        assert await serve_one_request() == 1

    def test_it_works_on_uvloop_and_on_one_loop_after_another(self, migrated: Settings) -> None:
        async def main() -> int:
            async with open_database(migrated):
                await User.all().delete()
                await User.create()
                return await serve_one_request()

        for _ in range(2):
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                assert runner.run(main()) == 1

    async def test_it_opens_again_after_it_closed(self, migrated: Settings) -> None:
        for _ in range(3):
            async with open_database(migrated) as database:
                await database.ping()
                await User.all().count()

    async def test_it_closes_after_a_failure(self, migrated: Settings) -> None:
        async def fail() -> None:
            async with open_database(migrated) as database:
                await database.ping()
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with open_database(migrated) as database:
            await database.ping()

    async def test_many_tasks_share_it(self, database: Database) -> None:
        users = await asyncio.gather(*(User.create(name=str(number)) for number in range(50)))
        assert await User.all().count() == len(users)

    async def test_sessions_are_in_utc_and_strict(self, database: Database) -> None:
        if database.dialect != "mysql":
            pytest.skip("only MySQL has such settings")
        rows = await asyncio.gather(
            *(
                database.client.execute_query_dict(
                    "SELECT @@time_zone AS zone, @@sql_mode AS mode, SLEEP(0.05) AS held"
                )
                for _ in range(4)
            )
        )
        assert {row[0]["zone"] for row in rows} == {"+00:00"}
        assert all("STRICT_ALL_TABLES" in row[0]["mode"] for row in rows)


@only_sqlite
class TestSqliteFile:
    async def test_only_its_owner_can_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "data" / "app.db"
        async with open_database(settings_for(f"sqlite://{path}")) as database:
            await database.client.execute_script("CREATE TABLE t (a INTEGER)")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {"app.db": 0o600, "app.db-shm": 0o600, "app.db-wal": 0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    async def test_it_keeps_what_was_committed_through_a_power_cut(self, tmp_path: Path) -> None:
        async with open_database(settings_for(f"sqlite://{tmp_path}/app.db")) as database:
            values = [
                (await database.client.execute_query_dict(f"PRAGMA {name}"))[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        assert [next(iter(value.values())) for value in values] == ["wal", 2, 1, 5000]

    async def test_many_may_open_a_new_file_at_once(self, tmp_path: Path) -> None:
        """SQLite itself says "locked" at once to who turns on the WAL as another one does."""

        async def open_once(url: str) -> None:
            async with open_database(settings_for(url)) as database:
                await database.ping()

        for number in range(20):
            url = f"sqlite://{tmp_path}/{number}.db"
            await asyncio.gather(*(open_once(url) for _ in range(8)))

    @pytest.mark.parametrize("place", ["file/app.db", "a" * 300])
    async def test_a_file_that_cannot_be_made_is_bad_configuration(
        self, tmp_path: Path, place: str
    ) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ConfigError, match=r"^DATABASE_URL: "):
            async with open_database(settings_for(f"sqlite://{tmp_path}/{place}")):
                pass


@only_sqlite
@pytest.mark.skipif(not OPEN_FILES.exists(), reason="only Linux shows them here")
@pytest.mark.parametrize("turns", range(1, 5))
async def test_an_opening_that_is_cancelled_leaves_no_file_open(tmp_path: Path, turns: int) -> None:
    path = tmp_path / "new.db"
    opening = asyncio.create_task(connect(str(path), {"journal_mode": "WAL"}))
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait({opening})
    assert opening.cancelled()
    assert path not in open_files()
