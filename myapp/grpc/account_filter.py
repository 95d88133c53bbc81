"""The filter of a list of accounts: a little of https://google.aip.dev/160.

status=active role=admin email:example.com
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import TypeVar

from myapp.enums import UserRole, UserStatus
from myapp.errors import FieldError, Invalid
from myapp.modules.user.usecases import AccountFilter

FILTER_CHARACTERS = 1000
TERM = re.compile(r'(?P<field>\w+)\s*(?P<operator>[=:])\s*(?P<value>"[^"]+"|[^\s"]+)')
JOIN = re.compile(r"\s+(AND\s+)?")
UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
OPERATORS = {"status": "=", "role": "=", "email": ":"}

Kind = TypeVar("Kind", bound=StrEnum)


def parse_filter(text: str) -> AccountFilter:
    """Raises Invalid with what is wrong with it."""
    if len(text) > FILTER_CHARACTERS or UNFIT.search(text):
        raise refusal(f"has over {FILTER_CHARACTERS} characters, or some that are no text")
    values: dict[str, str] = {}
    for field, operator, value in terms(text.strip()):
        if operator != OPERATORS.get(field):
            raise refusal(f"has no {field}{operator}; it takes status=, role= and email:")
        if field in values:
            raise refusal(f"names {field} twice")
        values[field] = value
    return AccountFilter(
        status=choose(UserStatus, "status", values),
        role=choose(UserRole, "role", values),
        email=values.get("email", ""),
    )


def terms(text: str) -> Iterator[tuple[str, str, str]]:
    """Field, operator and value of each term."""
    position = 0
    while position < len(text):
        if position:
            join = JOIN.match(text, position)
            position = join.end() if join else position
        term = TERM.match(text, position) if not position or join else None
        if term is None:
            raise refusal(f"cannot be read from here on: {text[position : position + 40]}")
        yield term["field"], term["operator"], term["value"].strip('"')
        position = term.end()


def choose(kind: type[Kind], field: str, values: dict[str, str]) -> Kind | None:
    if field not in values:
        return None
    try:
        return kind(values[field].lower())
    except ValueError:
        raise refusal(f"has an unknown {field}; there are {', '.join(kind)}") from None


def refusal(fault: str) -> Invalid:
    return Invalid("The filter is not valid", details=[FieldError("filter", fault)])
