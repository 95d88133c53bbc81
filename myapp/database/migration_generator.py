"""aerich's generator, made a function: nothing is kept, asked, written or lost on the way."""
# ruff: noqa: ARG002, ARG003, ARG004, FBT001, FBT002  # the signatures are aerich's

from pathlib import Path
from typing import Any

from aerich.ddl import BaseDDL
from aerich.ddl.sqlite import SqliteDDL
from aerich.migrate import Migrate
from tortoise.models import Model

MYSQL_VERSION = "8.0"  # has RENAME COLUMN, as MariaDB has from 10.5

RECIPE = """-- SQLite cannot change {column} in place: put a rebuild here, for the last line fails.
-- Create the table below under another name, INSERT INTO it SELECT what the old one has, DROP the
-- old one, ALTER TABLE ... RENAME TO its name, create its indexes. Foreign keys are off meanwhile.
{table}
SELECT rebuild_by_hand('{column}')"""


class ByHandDDL(SqliteDDL):
    """Writes a recipe and a statement that fails where SQLite cannot alter a table."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.columns: dict[str, None] = {}  # a set that keeps its order

    def by_hand(self, model: type[Model], field: dict[str, Any]) -> str:
        table = self.get_table_name(model)
        column = f"{table}.{field.get('db_column') or field.get('raw_field')}"
        self.columns[column] = None
        shape = "\n".join(f"--   {line}" for line in self.create_table(model).splitlines())
        return RECIPE.format(column=column, table=shape)

    def modify_column(self, model: Any, field_describe: Any, is_pk: bool = True) -> str:
        return self.by_hand(model, field_describe)

    def alter_column_default(self, model: Any, field_describe: Any) -> str:
        return self.by_hand(model, field_describe)

    def alter_column_null(self, model: Any, field_describe: Any) -> str:
        return self.by_hand(model, field_describe)

    def add_fk(self, model: Any, field_describe: Any, reference_table_describe: Any) -> str:
        return self.by_hand(model, field_describe)

    def drop_fk(self, model: Any, field_describe: Any, reference_table_describe: Any) -> str:
        return self.by_hand(model, field_describe)

    def set_comment(self, model: Any, field_describe: Any) -> str:
        return ""  # SQLite keeps no comments


class Generator(Migrate):
    """Gives the text of a migration to its caller."""

    ddl: BaseDDL | None = None  # type: ignore[assignment]  # until there is something to compare

    @staticmethod
    def get_migration_dir(location: str, app: str) -> Path:
        """The dialect's folder itself: there is one app."""
        return Path(location)

    @classmethod
    async def _get_db_version(cls, connection: Any, offline: bool = False) -> None:
        cls._db_version = MYSQL_VERSION

    @classmethod
    async def load_ddl_class(cls) -> type[BaseDDL]:
        return ByHandDDL if cls.dialect == "sqlite" else await super().load_ddl_class()

    @classmethod
    def _add_operator(cls, operator: str, upgrade: bool = True, fk_m2m_index: bool = False) -> None:
        if operator:
            super()._add_operator(operator, upgrade, fk_m2m_index)

    @classmethod
    async def _generate_diff_py(
        cls, name: Any, no_input: bool = False, offline: bool = False
    ) -> str:
        return cls.text()

    @classmethod
    def text(cls) -> str:
        """The migration that was generated last."""
        return cls._get_diff_file_content()

    @classmethod
    def build_migration_file_text(
        cls, upgrade_sql: str, models_state: Any, downgrade_sql: str = ""
    ) -> str:
        """aerich puts SQL into a Python string as it is, and would lose its backslashes."""
        return super().build_migration_file_text(
            upgrade_sql=upgrade_sql.replace("\\", "\\\\"),
            downgrade_sql=downgrade_sql.replace("\\", "\\\\"),
            models_state=models_state,
        )

    @classmethod
    def columns_by_hand(cls) -> tuple[str, ...]:
        return tuple(cls.ddl.columns) if isinstance(cls.ddl, ByHandDDL) else ()


def fresh_generator() -> type[Generator]:
    """aerich collects in class attributes: a class of its own for each dialect and run."""
    lists = (
        "upgrade_operators",
        "downgrade_operators",
        "_upgrade_fk_m2m_index_operators",
        "_downgrade_fk_m2m_index_operators",
        "_upgrade_m2m",
        "_downgrade_m2m",
    )
    fresh: dict[str, Any] = {name: [] for name in lists}
    return type(
        "FreshGenerator", (Generator,), {**fresh, "_rename_fields": {}, "_rename_models": {}}
    )
