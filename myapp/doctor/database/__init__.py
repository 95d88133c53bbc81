"""The database: reachable, migrated, and set up as the program relies on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from myapp.config import Settings
from myapp.database.connection import Database, open_database
from myapp.database.migrations import applied_names, migration_files
from myapp.database.url import Dialect, Target, parse_target
from myapp.doctor.database.mysql import look_at_mysql
from myapp.doctor.database.postgres import look_at_postgres
from myapp.doctor.database.sqlite import look_at_sqlite
from myapp.doctor.findings import Finding, failed, ok, warning
from myapp.doctor.running import in_daemon_thread

Look = Callable[[Settings, Target, Database], Awaitable[list[Finding]]]

DIALECTS: Mapping[Dialect, Look] = {
    "sqlite": look_at_sqlite,
    "postgres": look_at_postgres,
    "mysql": look_at_mysql,
}
MIGRATIONS = "database.migrations"


async def look_at_database(settings: Settings) -> Sequence[Finding]:
    """Everything about the database. A SQLite file that is not there is not made."""
    target = parse_target(settings)
    if target.dialect == "sqlite":
        path = Path(target.credentials["file_path"])
        if not await in_daemon_thread(path.exists):
            return [find_no_file(settings, path)]
    async with open_database(settings) as database:
        found = await DIALECTS[target.dialect](settings, target, database)
        return [*found, await look_at_migrations(settings, database)]


def find_no_file(settings: Settings, path: Path) -> Finding:
    if settings.database_url is None:
        return ok("database", f"There is no database yet: the first start makes {path}")
    return failed("database", f"There is no database in {path} yet", "Run: myapp migrate")


async def look_at_migrations(settings: Settings, database: Database) -> Finding:
    applied = await applied_names(database.dialect, database.client)
    known = [path.name for path in migration_files(database.dialect)]
    pending = [name for name in known if name not in applied]
    if pending and settings.database_url is None:
        message = f"{len(pending)} migrations are pending: the next start applies them"
        return ok(MIGRATIONS, message)
    if pending:
        message = f"{len(pending)} migrations are pending, so that no role starts"
        return failed(MIGRATIONS, message, "Run: myapp migrate")
    if strangers := sorted(applied.difference(known)):
        return warning(
            MIGRATIONS,
            f"The database has {len(strangers)} migrations that this release does not know,"
            f" the last of them {strangers[-1]}",
            "Run the release that the database was migrated for, or a later one",
        )
    return ok(MIGRATIONS, f"All {len(known)} migrations are applied")
