"""Writing migrations: the difference between the entities and the last migration's state.

It needs no database. aerich finds the differences; files are written when all three dialects are
there.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import structlog
from aerich.exceptions import AerichError
from aerich.utils import get_models_describe
from tortoise.context import TortoiseContext
from tortoise.utils import get_schema_sql

import myapp
from myapp.database.connection import APP, MODELS, tortoise_config
from myapp.database.migration_generator import fresh_generator
from myapp.database.migrations import LEDGER, MigrationError, migration_files, migrations_folder
from myapp.database.url import Dialect, parse_url
from myapp.errors import FieldError, Invalid

# Nobody connects to these.
URLS: dict[Dialect, str] = {
    "sqlite": "sqlite://offline.db",
    "postgres": "postgres://offline@localhost/offline",
    "mysql": "mysql://offline@localhost/offline",
}
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Written:
    """The new files, none when nothing had changed, and what is left to do by hand."""

    files: tuple[Path, ...]
    by_hand: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """One dialect's migration, not yet a file. Without changes it only records the state."""

    text: str
    changes: bool
    columns_by_hand: tuple[str, ...]


async def make(name: str, *, folder: Path | None = None, models: Sequence[str] = MODELS) -> Written:
    """Writes the next migration for every dialect, or for none.

    Where SQLite cannot change a column, its file gets a statement that fails and the recipe to
    put in its place, and `by_hand` says so. Raises Invalid for a bad name, and MigrationError for
    folders that differ and for a change that aerich cannot express.
    """
    if not NAME.fullmatch(name):
        raise Invalid(
            details=[
                FieldError(
                    "NAME", "is a small letter and then small letters, digits and _, at most 60"
                )
            ]
        )
    root = folder or migrations_folder()
    if root.parent == Path(myapp.__file__).parent:
        raise MigrationError("Migrations are written in a checkout, not in an installed package")
    number = next_number(root)
    drafts = {dialect: await draft(dialect, root, models) for dialect in URLS}
    if not any(found.changes for found in drafts.values()):
        return Written((), ())
    file = f"{number}_{datetime.now(UTC):%Y%m%d%H%M%S}_{name}.py"
    files = {root / dialect / file: found.text for dialect, found in drafts.items()}
    write_all(files)
    by_hand = (
        f"{root / 'sqlite' / file}: SQLite cannot change {column}; the file says what to write"
        for column in drafts["sqlite"].columns_by_hand
    )
    return Written(tuple(files), tuple(by_hand))


def next_number(root: Path) -> int:
    """Raises MigrationError when the folders do not hold the same migrations."""
    names = {dialect: [path.name for path in migration_files(dialect, root)] for dialect in URLS}
    for dialect, found in names.items():
        if found != names["sqlite"]:
            raise MigrationError(f"The folders sqlite and {dialect} differ: one lacks a migration")
    last = names["sqlite"][-1:]
    return int(last[0].split("_")[0]) + 1 if last else 0


def write_all(files: dict[Path, str]) -> None:
    begun = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            begun.append(path)
            path.write_text(text, encoding="utf-8")
    except OSError:
        for path in begun:
            path.unlink(missing_ok=True)
        raise


async def draft(dialect: Dialect, root: Path, models: Sequence[str] = MODELS) -> Draft:
    """What the entities have changed since the dialect's last migration."""
    config = tortoise_config(parse_url(URLS[dialect]), (*models, LEDGER))
    generator = fresh_generator()
    async with TortoiseContext() as context:
        # Without connections: Tortoise would build the entities' queries for this dialect, and
        # spoil them for a database that is open meanwhile.
        await context.init(config=config, init_connections=False)
        if not migration_files(dialect, root):
            schema = get_schema_sql(context.db(), safe=True)
            text = generator.build_migration_file_text(schema, get_models_describe(APP))
            return Draft(text, changes=True, columns_by_hand=())
        with logging_prints():
            await generator.init(config, APP, str(root / dialect), offline=True)
            # "no input": what looks like a renamed column is one, which keeps its data.
            try:
                found = await generator.migrate("", empty=False, no_input=True, offline=True)
            except AerichError as error:
                raise MigrationError(f"{dialect}: {error}") from error
        return Draft(generator.text(), bool(found), generator.columns_by_hand())


@contextmanager
def logging_prints() -> Iterator[None]:
    """aerich prints its warnings: they belong in the log, not among what a command prints."""
    with redirect_stdout(StringIO()) as printed:
        yield
    for line in filter(None, map(str.strip, printed.getvalue().splitlines())):
        log.warning("aerich says", text=line)
