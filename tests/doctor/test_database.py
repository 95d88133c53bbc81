"""The database as doctor sees it, on every dialect that this run tests."""

import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from myapp.config import Settings
from myapp.database.connection import open_database
from myapp.database.url import Dialect, parse_target
from myapp.doctor import clocks
from myapp.doctor.database import look_at_database
from myapp.doctor.database.connections import compare_connections
from myapp.doctor.database.mysql import judge_server, judge_session, judge_tables
from myapp.doctor.database.postgres import judge_search, judge_settings
from myapp.doctor.database.sqlite import type_in
from myapp.doctor.findings import Status
from myapp.errors import Unavailable
from tests.doctor.conftest import MakeSettings, by_name, paths_below
from tests.support.databases import scratch_database, settings_for

GOOD_POSTGRES = {
    "encoding": "UTF8",
    "read_only": False,
    "isolation": "read committed",
    "durable": True,
    "synchronous": True,
}
GOOD_MYSQL = {
    "transaction_isolation": "READ-COMMITTED",
    "sql_mode": "STRICT_TRANS_TABLES,TRADITIONAL",
    "character_set_connection": "utf8mb4",
    "read_only": "OFF",
    "log_bin": "ON",
    "binlog_format": "ROW",
    "innodb_flush_log_at_trx_commit": "1",
    "wait_timeout": "28800",
}
MOUNTS = """/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/ada/my\\040data xfs rw 0 0
"""


class TestLook:
    async def test_at_a_migrated_one_finds_nothing_wrong(
        self, settings: Settings, dialect: Dialect
    ) -> None:
        found = by_name(list(await look_at_database(settings)))
        assert {each.status for each in found.values()} <= {Status.OK, Status.WARNING}
        assert found["database.migrations"].status is Status.OK
        assert ("clock.database" in found) == (dialect != "sqlite")
        assert ("database.connections" in found) == (dialect != "sqlite")

    async def test_at_an_empty_one_says_what_to_run(self, dialect: Dialect, tmp_path: Path) -> None:
        async with scratch_database(dialect, tmp_path) as url:
            settings = settings_for(url)
            async with open_database(settings) as database:
                await database.ping()
            found = by_name(list(await look_at_database(settings)))
        assert found["database.migrations"].status is Status.FAILED
        assert found["database.migrations"].advice == "Run: myapp migrate"

    async def test_at_a_newer_one_warns(self, settings: Settings) -> None:
        async with open_database(settings) as database:
            insert = "INSERT INTO aerich (version, app, content)"
            await database.client.execute_script(
                f"{insert} VALUES ('99_future.py', 'models', '{{}}')"
            )
            try:
                found = by_name(list(await look_at_database(settings)))
            finally:
                delete = "DELETE FROM aerich WHERE version = '99_future.py'"
                await database.client.execute_script(delete)
        assert found["database.migrations"].status is Status.WARNING
        assert "99_future.py" in found["database.migrations"].message

    async def test_at_one_that_is_away_raises_what_the_driver_says(self) -> None:
        settings = settings_for("postgres://ada:secret@127.0.0.1:9/app")
        with pytest.raises(Unavailable) as caught:
            await look_at_database(settings)
        assert isinstance(caught.value.__cause__, OSError)

    async def test_makes_no_file(self, make_settings: MakeSettings, tmp_path: Path) -> None:
        (own,) = await look_at_database(make_settings())
        url = SecretStr(f"sqlite://{tmp_path}/other.db")
        (other,) = await look_at_database(make_settings(database_url=url))
        assert (own.status, other.status) == (Status.OK, Status.FAILED)
        assert paths_below(tmp_path) == []


class TestServers:
    @pytest.mark.parametrize(
        ("change", "name"),
        [
            ({"encoding": "SQL_ASCII"}, "database.encoding"),
            ({"read_only": True}, "database.writable"),
            ({"isolation": "serializable"}, "database.isolation"),
            ({"durable": False}, "database.durability"),
            ({"synchronous": False}, "database.durability"),
        ],
    )
    def test_postgres_is_judged_by_each_setting(self, change: dict[str, object], name: str) -> None:
        assert judge_settings(dict(GOOD_POSTGRES)) == []
        assert [each.name for each in judge_settings({**GOOD_POSTGRES, **change})] == [name]

    def test_postgres_without_trigrams_is_told_how_to_have_them(self) -> None:
        assert judge_search(present=True).status is Status.OK
        assert "pg_trgm" in (judge_search(present=False).advice or "")

    @pytest.mark.parametrize(
        ("change", "name"),
        [
            ({"transaction_isolation": "REPEATABLE-READ"}, "database.session"),
            ({"sql_mode": ""}, "database.session"),
            ({"character_set_connection": "latin1"}, "database.session"),
            ({"read_only": "ON"}, "database.writable"),
            ({"binlog_format": "STATEMENT"}, "database.binlog"),
            ({"innodb_flush_log_at_trx_commit": "2"}, "database.durability"),
            ({"wait_timeout": "60"}, "database.idle"),
        ],
    )
    def test_mysql_is_judged_by_each_setting(self, change: dict[str, str], name: str) -> None:
        assert [*judge_session(GOOD_MYSQL), *judge_server(GOOD_MYSQL)] == []
        changed = {**GOOD_MYSQL, **change}
        found = [*judge_session(changed), *judge_server(changed)]
        assert [each.name for each in found] == [name]

    def test_mysql_names_tables_that_lack_transactions(self) -> None:
        assert judge_tables([]) == []
        assert "users" in judge_tables(["users"])[0].message

    def test_pools_that_the_server_cannot_serve_are_a_warning(
        self, make_settings: MakeSettings
    ) -> None:
        url = SecretStr("postgres://127.0.0.1/app?pool_size=25")
        settings = make_settings(database_url=url)
        target = parse_target(settings)
        enough = compare_connections(settings, target, limit=100, in_use=3)
        short = compare_connections(settings, target, limit=99, in_use=3)
        assert (enough.status, short.status) == (Status.OK, Status.WARNING)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/lib", "ext4"), ("/home/ada", "nfs4"), ("/home/ada/my data/app.db", "xfs")],
)
def test_the_innermost_mount_says_where_a_file_lies(path: str, kind: str) -> None:
    assert type_in(MOUNTS, Path(path)) == kind


@pytest.mark.parametrize(
    ("skew", "status"), [(0, Status.OK), (-300, Status.FAILED), (6, Status.WARNING)]
)
async def test_a_clock_is_judged_by_how_far_it_is_off(skew: float, status: Status) -> None:
    async def read() -> float:
        return time.time() + skew

    found = await clocks.compare("clock.there", whose="the other", read=read)
    assert found.status is status
