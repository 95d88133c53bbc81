"""What a new feature is called, in each of the places where its name stands."""

import builtins
import keyword
import re
from dataclasses import dataclass
from typing import Self

from myapp.scaffold.refusal import Refused

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CHARACTERS = 30  # the templates' lines have room for these
SINGULAR_ENDS = ("ss", "us", "is")  # address, status, analysis
SIBILANT_ENDS = ("s", "x", "z", "ch", "sh")


@dataclass(frozen=True, slots=True)
class Names:
    """One thing and several of them, in snake_case: `line_item`, `line_items`."""

    one: str
    many: str

    @classmethod
    def parse(cls, one: str, *, many: str | None = None) -> Self:
        """Raises Refused for what is no name, or none in the singular."""
        for name in (one, many or one):
            check_form(name)
        if many is None and one.endswith("s") and not one.endswith(SINGULAR_ENDS):
            raise Refused(f"{one!r} looks like a plural: name one of them, or give --plural")
        many = many or pluralise(one)
        if many == one:
            raise Refused("One and many must differ: give another --plural")
        return cls(one, many)

    @property
    def placeholders(self) -> dict[str, str]:
        """What the templates write in place of `$thing` and its like."""
        texts = self.many.replace("_", " ")
        return {
            "thing": self.one,
            "things": self.many,
            "Thing": self.one.title().replace("_", ""),
            "THING": self.one.upper(),
            "text": self.one.replace("_", " "),
            "texts": texts,
            "Texts": texts.capitalize(),
            "path": self.many.replace("_", "-"),
        }


def check_form(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Refused(f"{name!r} is no name in snake_case, such as invoice or line_item")
    if len(name) > CHARACTERS:
        raise Refused(f"{name!r} has more than {CHARACTERS} characters")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        raise Refused(f"{name!r} has a meaning in Python itself")
    if name.split("_")[0] == "test":
        raise Refused(f"{name!r} would have pytest take its classes for tests")


def pluralise(name: str) -> str:
    """English for most words; `--plural` says what it is for the others."""
    if name.endswith("y") and name[-2:-1] not in tuple("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(SIBILANT_ENDS) else f"{name}s"
