"""An outage is Unavailable, whatever the driver calls it; a defect is not."""

import asyncio
import socket
import threading
import time
from asyncio import Runner
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvloop
from tortoise.exceptions import OperationalError

from myapp.config import Settings
from myapp.database.connection import Database, connected, open_database, transaction
from myapp.database.url import CHECKOUT_SECONDS, Dialect, parse_target
from myapp.database.user import User
from myapp.errors import ConfigError, Unavailable
from tests.support.databases import SERVERS, dialects, run_on_server, settings_for

SERVER_DIALECTS = [dialect for dialect in dialects() if dialect != "sqlite"]
on_servers = pytest.mark.parametrize("server", SERVER_DIALECTS)
pytestmark = pytest.mark.filterwarnings("error")


def url_of(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def moved(server: Dialect, port: int) -> str:
    scheme = urlsplit(SERVERS[server]).scheme
    return f"{scheme}://nobody:hunter2@127.0.0.1:{port}/none"


async def cut_connections(settings: Settings) -> None:
    """What a restart of the server does to those who were connected."""
    parts = urlsplit(url_of(settings))
    name = parts.path[1:]
    if parts.scheme == "postgres":
        await run_on_server(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()",
        )
    else:
        await run_on_server(
            "mysql",
            "BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.processlist"
            f" WHERE db = '{name}') DO KILL c.id; END FOR; END",
        )
    await asyncio.sleep(0.1)


async def work(event: asyncio.Event, go_on: asyncio.Event) -> None:
    async with transaction():
        await User.create(name="lost")
        event.set()
        await go_on.wait()
        await User.create(name="lost")


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Accepts connections and never says a word."""
    connections: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in connections:
            writer.close()


@contextmanager
def server_that_hangs_up() -> Iterator[int]:
    """Accepts connections and closes them at once, as a proxy does whose server is away."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


class TestUnreachable:
    @pytest.mark.parametrize("server", ["postgres", "mysql"])  # neither has to be there for it
    def test_a_server_that_hangs_up(self, server: Dialect) -> None:
        async def ask(port: int) -> None:
            async with open_database(settings_for(moved(server, port))):
                for _ in range(30):  # the driver notices at one step of connecting or another
                    with pytest.raises(Unavailable):
                        await User.all().count()

        # In the program's own loop, where a connection that is lost has no socket any more.
        with server_that_hangs_up() as port, Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(ask(port))

    @on_servers
    async def test_a_refused_connection(self, server: Dialect) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = moved(server, closed.getsockname()[1])
            async with open_database(settings_for(url)) as database:
                for attempt in (database.ping, User.all().count, begin):
                    with pytest.raises(Unavailable) as outage:
                        await attempt()
                    assert "hunter2" not in str(outage.value)
                    assert "SELECT" not in str(outage.value)

    @on_servers
    async def test_a_host_without_an_address(self, server: Dialect) -> None:
        url = moved(server, 1).replace("127.0.0.1", "nowhere.invalid")
        async with open_database(settings_for(url)) as database:
            with pytest.raises(Unavailable):
                await database.ping()

    @on_servers
    async def test_a_silent_server_costs_everybody_no_more_than_the_limit(
        self, server: Dialect
    ) -> None:
        async with silent_server() as port:
            target = parse_target(settings_for(moved(server, port)))
            hasty = replace(target, credentials={**target.credentials, "checkout_seconds": 0.2})
            async with connected(hasty):
                start = time.monotonic()
                outcomes = await asyncio.gather(
                    *(User.all().count() for _ in range(3)), return_exceptions=True
                )
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert time.monotonic() - start < CHECKOUT_SECONDS  # which is the usual limit

    @on_servers
    async def test_a_database_that_does_not_exist(self, server: Dialect) -> None:
        url = urlsplit(SERVERS[server])._replace(path="/myapp_test_no_such_database").geturl()
        async with open_database(settings_for(url)) as database:
            with pytest.raises(Unavailable):
                await database.ping()

    @pytest.mark.skipif("mysql" not in dialects(), reason="MySQL is not tested here")
    async def test_wrong_credentials(self) -> None:
        url = SERVERS["mysql"].replace("root@", "nobody:hunter2@")
        async with open_database(settings_for(url)) as database:
            with pytest.raises(Unavailable):
                await database.ping()


async def begin() -> None:
    async with transaction():
        pass


class TestLostConnections:
    async def test_the_next_query_heals(self, migrated: Settings, database: Database) -> None:
        if database.dialect == "sqlite":
            pytest.skip("SQLite has no connection to lose")
        await asyncio.gather(*(User.all().count() for _ in range(5)))
        await cut_connections(migrated)
        await asyncio.gather(*(User.all().count() for _ in range(5)))
        await begin()

    async def test_a_transaction_is_lost_whole(
        self, migrated: Settings, database: Database
    ) -> None:
        if database.dialect == "sqlite":
            pytest.skip("SQLite has no connection to lose")
        written, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(work(written, go_on))
        await written.wait()
        await cut_connections(migrated)
        go_on.set()
        with pytest.raises(Unavailable):
            await task
        assert await User.all().count() == 0

    async def test_a_commit_that_cannot_be_sent_is_an_outage(
        self, migrated: Settings, database: Database
    ) -> None:
        if database.dialect == "sqlite":
            pytest.skip("SQLite has no connection to lose")

        async def cut_before_commit() -> None:
            async with transaction():
                await User.create()
                await cut_connections(migrated)

        with pytest.raises(Unavailable):
            await cut_before_commit()
        assert await User.all().count() == 0


READ_ONLY_FROM_NOW_ON = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "postgres": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}


class TestReadOnly:
    @pytest.mark.parametrize("in_transaction", [False, True])
    async def test_a_connection_that_takes_no_writes_any_more_is_not_used_again(
        self, migrated: Settings, in_transaction: bool
    ) -> None:
        """Its server was demoted, say, and the name in the URL leads to another one by now."""
        target = parse_target(migrated)
        if target.dialect == "sqlite":
            pytest.skip("a file is nobody's standby")
        single = replace(target, credentials={**target.credentials, "maxsize": 1})
        async with connected(single) as context:
            await context.db().execute_script(READ_ONLY_FROM_NOW_ON[target.dialect])
            with pytest.raises(Unavailable):
                await write(in_transaction=in_transaction)
            await write(in_transaction=in_transaction)
            await User.all().delete()


async def write(*, in_transaction: bool) -> None:
    if not in_transaction:
        await User.create()
        return
    async with transaction(), transaction():
        await User.create()


class TestExhaustion:
    async def test_a_pool_that_stays_in_use(self, migrated: Settings) -> None:
        target = parse_target(migrated)
        limits = {"checkout_seconds": 0.2}
        if target.dialect != "sqlite":
            limits = {"checkout_seconds": 2, "maxsize": 1}  # in which it has to connect as well
        small = replace(target, credentials={**target.credentials, **limits})
        hold, held = asyncio.Event(), asyncio.Event()

        async def hog() -> None:
            async with transaction():
                await User.all().count()
                held.set()
                await hold.wait()

        async with connected(small):
            task = asyncio.create_task(hog())
            await held.wait()
            for attempt in (User.all().count, begin):
                with pytest.raises(Unavailable):
                    await attempt()
            hold.set()
            await task
            await begin()

    async def test_a_statement_that_takes_too_long(self, migrated: Settings) -> None:
        target = parse_target(migrated)
        slow = {
            "postgres": "SELECT pg_sleep(5)",
            "mysql": "SELECT SLEEP(5)",
            "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
            " WHERE n < 3000000) SELECT max(n) FROM c",
        }
        hasty = replace(target, credentials={**target.credentials, "statement_seconds": 0.1})
        async with connected(hasty) as context:
            with pytest.raises(Unavailable):
                await context.db().execute_query_dict(slow[target.dialect])
        async with connected(target):
            await User.all().count()


@pytest.mark.skipif("sqlite" not in dialects(), reason="SQLite is not tested here")
class TestSqliteTrouble:
    @pytest.mark.parametrize("trouble", ["max_page_count = 1", "query_only = ON"])
    async def test_a_full_or_read_only_disk(self, tmp_path: Path, trouble: str) -> None:
        async with open_database(settings_for(f"sqlite://{tmp_path}/app.db")) as database:
            await database.client.execute_script(f"CREATE TABLE t (a TEXT); PRAGMA {trouble}")
            with pytest.raises(Unavailable):
                await database.client.execute_query_dict("INSERT INTO t VALUES (zeroblob(1000000))")
            await database.ping()


@pytest.mark.skipif("sqlite" not in dialects(), reason="SQLite is not tested here")
class TestSqliteFile:
    async def test_that_is_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="is a folder"):
            async with open_database(settings_for(f"sqlite://{tmp_path}")):
                pass

    async def test_that_is_no_database_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "app.db"
        path.write_text("no database at all\n")
        async with open_database(settings_for(f"sqlite://{path}")) as database:
            with pytest.raises(ConfigError, match="is no database"):
                await database.ping()


class TestDefects:
    async def test_a_bad_statement_is_no_outage(self, database: Database) -> None:
        with pytest.raises(OperationalError):
            await database.client.execute_query_dict("SELECT nothing FROM nowhere")
        await database.ping()
