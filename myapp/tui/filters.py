"""What is typed after `/`: `queue:low status:failed timeout` is two fields and a text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Filter:
    """Fields by their names, and the rest as one text."""

    fields: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def parse(cls, typed: str, names: Iterable[str]) -> Self:
        """Takes `name:value` of these names for fields; of one given twice, the last counts.

        Anything else with a colon is text: a task is called `noun:verb`.
        """
        known = set(names)
        fields: dict[str, str] = {}
        words = []
        for word in typed.split():
            name, colon, value = word.partition(":")
            if colon and value and name in known:
                fields[name] = value
            else:
                words.append(word)
        return cls(fields, " ".join(words))

    def get(self, name: str) -> str | None:
        return self.fields.get(name)

    def replace(self, name: str, value: str | None) -> Self:
        """The same with this field set, or left out."""
        fields = {**self.fields, name: value or ""}
        return type(self)({key: text for key, text in fields.items() if text}, self.text)

    def __str__(self) -> str:
        """As it would be typed."""
        fields = (f"{name}:{value}" for name, value in self.fields.items())
        return " ".join((*fields, self.text)).strip()
