"""MySQL and MariaDB: what the program takes for granted, and what a setting can lose."""

from myapp.config import Settings
from myapp.database.connection import Database
from myapp.database.url import IDLE_SECONDS, Target
from myapp.doctor import clocks
from myapp.doctor.database.connections import compare_connections
from myapp.doctor.findings import Finding, failed, ok, warning

VARIABLES = """
SHOW SESSION VARIABLES WHERE Variable_name IN ('version', 'max_connections', 'read_only',
    'sql_mode', 'transaction_isolation', 'tx_isolation', 'log_bin', 'binlog_format', 'wait_timeout',
    'innodb_flush_log_at_trx_commit', 'character_set_connection')
"""
CONNECTED = "SHOW GLOBAL STATUS LIKE 'Threads_connected'"
NOW = "SELECT UNIX_TIMESTAMP(NOW(6)) AS now"
ODD_TABLES = """
SELECT TABLE_NAME AS name FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'
    AND (ENGINE <> 'InnoDB' OR TABLE_COLLATION NOT LIKE 'utf8mb4%')
ORDER BY TABLE_NAME
"""


async def look_at_mysql(settings: Settings, target: Target, database: Database) -> list[Finding]:
    """The server's settings as our own sessions see them, its clock and its tables."""
    client = database.client
    rows = await client.execute_query_dict(VARIABLES)
    server = {row["Variable_name"]: str(row["Value"]) for row in rows}
    (connected,) = await client.execute_query_dict(CONNECTED)

    async def read_clock() -> float:
        (row,) = await client.execute_query_dict(NOW)
        return float(row["now"])

    kind = "MariaDB" if "mariadb" in server["version"].lower() else "MySQL"
    return [
        ok("database", f"{kind} {server['version']} answers"),
        *judge_session(server),
        *judge_server(server),
        *judge_tables([row["name"] for row in await client.execute_query_dict(ODD_TABLES)]),
        compare_connections(
            settings,
            target,
            limit=int(server["max_connections"]),
            in_use=int(connected["Value"]),
        ),
        await clocks.compare("clock.database", whose="the database", read=read_clock),
    ]


def judge_session(server: dict[str, str]) -> list[Finding]:
    """The program sets these for each session; a proxy between may have lost them."""
    isolation = server.get("transaction_isolation") or server.get("tx_isolation", "")
    odd = []
    if isolation != "READ-COMMITTED":
        odd.append(f"transactions are {isolation}")
    if "STRICT_TRANS_TABLES" not in server["sql_mode"]:
        odd.append("sql_mode is not strict")
    if server["character_set_connection"] != "utf8mb4":
        odd.append(f"the connection speaks {server['character_set_connection']}")
    if not odd:
        return []
    message = f"A session does not keep what the program sets: {', '.join(odd)}"
    advice = "Connect to the server itself, or have the proxy keep the session's settings"
    return [failed("database.session", message, advice)]


def judge_server(server: dict[str, str]) -> list[Finding]:
    found = []
    if server["read_only"] not in ("OFF", "0"):
        message = "The server takes no writes: it is a replica, or set to read only"
        found.append(failed("database.writable", message, "Point DATABASE_URL at the primary"))
    if server.get("log_bin") == "ON" and server.get("binlog_format") == "STATEMENT":
        message = "binlog_format is STATEMENT, with which READ COMMITTED transactions cannot write"
        found.append(failed("database.binlog", message, "Set binlog_format to ROW"))
    if server["innodb_flush_log_at_trx_commit"] != "1":
        message = "What was committed can be lost in a crash of the server"
        advice = "Set innodb_flush_log_at_trx_commit to 1"
        found.append(warning("database.durability", message, advice))
    if int(server["wait_timeout"]) <= IDLE_SECONDS:
        message = (
            f"The server ends sessions after {server['wait_timeout']} s, and the program keeps"
            f" idle ones for {IDLE_SECONDS:.0f} s"
        )
        advice = f"Set wait_timeout to more than {IDLE_SECONDS:.0f}"
        found.append(warning("database.idle", message, advice))
    return found


def judge_tables(odd: list[str]) -> list[Finding]:
    if not odd:
        return []
    message = f"Tables that are not InnoDB with utf8mb4: {', '.join(odd)}"
    advice = "ALTER TABLE each: ENGINE=InnoDB, CONVERT TO CHARACTER SET utf8mb4"
    return [failed("database.tables", message, advice)]
