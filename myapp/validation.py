"""The validator chain: rules that are more than a type, composed, with errors by field.

A validator looks at one whole object and reports what is wrong with it. There is one only once
every field is what its type says: what pydantic finds comes first, and alone. A chain then asks all
of its validators, so that a caller learns of every rule that is broken:

    PROFILE_RULES = ValidatorChain(name_is_printable, phone_is_e164)
    await PROFILE_RULES.check(changes)
"""

import inspect
import unicodedata
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from pydantic import ValidationError

from myapp.errors import FieldError, Invalid
from myapp.faults import faults

T = TypeVar("T", contravariant=True)

CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})  # Unicode categories

Faults = Iterable[FieldError]
# May be asynchronous, for a rule that has to look something up.
Validator = Callable[[T], Faults | Awaitable[Faults]]


class ValidatorChain(Generic[T]):
    """Validators of one kind of object, asked in order."""

    def __init__(self, *validators: Validator[T]) -> None:
        self._validators = validators

    async def check(self, subject: T) -> None:
        """Raises Invalid with every fault that the validators found."""
        details: list[FieldError] = []
        for validator in self._validators:
            found = validator(subject)
            details += await found if inspect.isawaitable(found) else found
        if details:
            raise Invalid(details=details)


def is_one_line(text: str) -> bool:
    """Control characters and line breaks would forge log lines and break terminals."""
    return all(unicodedata.category(character) not in CONTROLS for character in text)


def refusal(error: ValidationError, message: str) -> Invalid:
    """What pydantic found, by field, without the values that were sent."""
    return Invalid(message, details=faults(error))
