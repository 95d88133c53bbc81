"""Column types that Tortoise does not have."""

from typing import Any

from tortoise import fields

UTF8_BYTES = 4  # the most that one character takes


class KeyField(fields.CharField[Any]):
    """Text that is compared byte by byte, on every dialect.

    MySQL's collations ignore case and accents by default, and even its `utf8mb4_bin` ignores
    trailing spaces: an identity "AbC" or "abc " would sign in as "abc". Bytes have no collation.
    """

    class _db_mysql:  # noqa: N801  # the name by which Tortoise looks for a dialect's own type
        def __init__(self, field: "KeyField") -> None:
            self.field = field

        @property
        def SQL_TYPE(self) -> str:  # noqa: N802  # Tortoise's name
            return f"VARBINARY({self.field.max_length * UTF8_BYTES})"

    def to_python_value(self, value: Any) -> Any:
        return super().to_python_value(value.decode() if isinstance(value, bytes) else value)
