"""PostgreSQL: what the program takes for granted, and what an operator can lose by a setting."""

from myapp.config import Settings
from myapp.database.connection import Database
from myapp.database.url import Target
from myapp.doctor import clocks
from myapp.doctor.database.connections import compare_connections
from myapp.doctor.findings import Finding, failed, ok, warning

SETTINGS = """
SELECT current_setting('server_version') AS version,
    current_setting('server_encoding') AS encoding,
    current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int AS max_connections,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS in_use,
    current_setting('transaction_read_only') = 'on' AS read_only,
    current_setting('default_transaction_isolation') AS isolation,
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS durable,
    current_setting('synchronous_commit') <> 'off' AS synchronous
"""
NOW = "SELECT extract(epoch FROM clock_timestamp())::float8 AS now"
SEARCH_INDEX = "SELECT to_regclass('idx_users_search_trgm') IS NOT NULL AS present"
USERS_TABLE = "SELECT to_regclass('users') IS NOT NULL AS present"


async def look_at_postgres(settings: Settings, target: Target, database: Database) -> list[Finding]:
    """The server's settings, its clock and what the search for users needs."""
    client = database.client
    (server,) = await client.execute_query_dict(SETTINGS)

    async def read_clock() -> float:
        (row,) = await client.execute_query_dict(NOW)
        return float(row["now"])

    found = [
        ok("database", f"PostgreSQL {server['version']} answers"),
        *judge_settings(server),
        compare_connections(
            settings, target, limit=server["max_connections"], in_use=server["in_use"]
        ),
        await clocks.compare("clock.database", whose="the database", read=read_clock),
    ]
    (users,) = await client.execute_query_dict(USERS_TABLE)
    (index,) = await client.execute_query_dict(SEARCH_INDEX)
    if users["present"]:
        found.append(judge_search(index["present"]))
    return found


def judge_settings(server: dict[str, object]) -> list[Finding]:
    found = []
    if server["encoding"] != "UTF8":
        message = f"The database's encoding is {server['encoding']}: not every name can be stored"
        advice = "Make a database with ENCODING 'UTF8' and move the data into it"
        found.append(failed("database.encoding", message, advice))
    if server["read_only"]:
        message = "The database takes no writes: it is a standby, or set to read only"
        found.append(failed("database.writable", message, "Point DATABASE_URL at the primary"))
    if server["isolation"] != "read committed":
        message = f"Transactions are {server['isolation']}: those that meet fail, and answer 503"
        advice = "Set default_transaction_isolation to 'read committed' for this database"
        found.append(warning("database.isolation", message, advice))
    if not (server["durable"] and server["synchronous"]):
        message = "What was committed can be lost in a crash of the server"
        advice = "Turn on fsync, full_page_writes and synchronous_commit"
        found.append(warning("database.durability", message, advice))
    return found


def judge_search(present: bool) -> Finding:  # noqa: FBT001  # it is the one thing to judge
    if present:
        return ok("database.search", "Searching users has its index (pg_trgm)")
    return warning(
        "database.search",
        "Searching users reads the whole table: the extension pg_trgm was absent at the migration",
        "As a superuser: CREATE EXTENSION pg_trgm; CREATE INDEX CONCURRENTLY"
        " idx_users_search_trgm ON users USING gin (search gin_trgm_ops)",
    )
