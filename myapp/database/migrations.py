"""Applying migrations: numbered files of SQL, one folder a dialect, as aerich writes them.

On SQLite and PostgreSQL a migration happens whole or not at all. MySQL commits each statement by
itself: one that was cut short leaves its first statements behind, is not recorded, and starts over
with the next run. What it finds done already fails there, and has to be undone by hand.
"""

import re
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from runpy import run_path
from typing import Any

import structlog
from tortoise.context import TortoiseContext

import myapp
from myapp.config import Settings
from myapp.database.connection import (
    APP,
    MODELS,
    Client,
    Database,
    connected,
    transaction,
)
from myapp.database.migration_lock import exclusive
from myapp.database.url import Dialect, parse_target
from myapp.errors import AppError, Unavailable

FILE_NAME = re.compile(r"(\d+)_\w+\.py")
LEDGER = "aerich.models"  # the entity that records what was applied

LEDGER_TABLE: Mapping[Dialect, str] = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'aerich'",
    "postgres": "SELECT 1 FROM pg_tables WHERE tablename = 'aerich'"
    " AND schemaname = ANY (current_schemas(false))",
    "mysql": "SELECT 1 FROM information_schema.tables WHERE table_name = 'aerich'"
    " AND table_schema = DATABASE()",
}

MYSQL_HINT = "; MySQL keeps what its earlier statements did: undo it by hand, then run it again"

log = structlog.get_logger()


class MigrationError(AppError):
    """A migration cannot be applied or written; the message is for the operator."""


def migrations_folder() -> Path:
    """`myapp/migrations` of an installed wheel, else `migrations` at the top of the checkout."""
    package = Path(myapp.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def migration_files(dialect: Dialect, folder: Path | None = None) -> list[Path]:
    """The dialect's migrations in their order."""
    paths = ((folder or migrations_folder()) / dialect).glob("*.py")
    numbered = [(int(match[1]), path) for path in paths if (match := FILE_NAME.match(path.name))]
    return [path for _, path in sorted(numbered)]


async def pending(database: Database) -> list[str]:
    """The names of the migrations that this program has and the database lacks."""
    applied = await applied_names(database.dialect, database.client)
    return [path.name for path in migration_files(database.dialect) if path.name not in applied]


async def applied_names(dialect: Dialect, client: Client) -> set[str]:
    if not await client.execute_query_dict(LEDGER_TABLE[dialect]):
        return set()
    rows = await client.execute_query_dict(f"SELECT version FROM aerich WHERE app = '{APP}'")  # noqa: S608  # a constant
    return {row["version"] for row in rows}


async def apply(settings: Settings, *, folder: Path | None = None) -> list[str]:
    """Applies what is pending and returns its names. Another runner is waited for.

    Opens the database for itself. Raises MigrationError for a migration that fails, and
    Unavailable when the database is out of reach.
    """
    target = parse_target(settings)
    async with connected(target.for_migrations(), models=(*MODELS, LEDGER)) as context:
        engine: Any = context.db()
        async with exclusive(target, engine):
            applied = await applied_names(target.dialect, engine)
            files = migration_files(target.dialect, folder)
            todo = [path for path in files if path.name not in applied]
            for path in todo:
                await apply_file(path, context, target.dialect)
            return [path.name for path in todo]


async def apply_file(path: Path, context: TortoiseContext, dialect: Dialect) -> None:
    migration = run_path(str(path))  # an import would leave compiled files behind
    whole = migration.get("RUN_IN_TRANSACTION", True)
    try:
        async with transaction() if whole else nullcontext():
            client: Any = context.db()
            if script := (await migration["upgrade"](client)).strip():
                await client.execute_script(script)
            if dialect == "sqlite":
                await check_references(client)
            await record(path.name, migration.get("MODELS_STATE", ""))
    except (Unavailable, MigrationError):
        raise
    except Exception as error:
        hint = MYSQL_HINT if dialect == "mysql" else ""
        raise MigrationError(f"{dialect}/{path.name} failed: {error}{hint}") from error
    log.info("migration applied", migration=path.name)


async def check_references(client: Client) -> None:
    """What SQLite would have refused, had foreign keys not been off for the migration."""
    if faults := await client.execute_query_dict("PRAGMA foreign_key_check"):
        raise MigrationError(f"it leaves rows of {faults[0]['table']} that refer to nothing")


async def record(name: str, state: str) -> None:
    # Here, for what only reads or serves never needs aerich.
    from aerich.models import Aerich
    from aerich.utils import decompress_dict

    content = decompress_dict(state) if state else {}
    await Aerich.create(version=name, app=APP, content=content)
