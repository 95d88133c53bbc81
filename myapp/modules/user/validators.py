"""The rules for what people say about themselves, whichever door it comes by."""

import re
from collections.abc import Iterator

import phonenumbers

from myapp.database.user import EMAIL_CHARACTERS, NAME_CHARACTERS
from myapp.errors import FieldError
from myapp.modules.user.dtos import ProfileChanges
from myapp.validation import ValidatorChain, is_one_line

# What is certainly no address; whether it is one, only a letter to it would tell.
EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f\ud800-\udfff]+@[^\s@\x00-\x1f\x7f\ud800-\udfff]+")


def name_fits(changes: ProfileChanges) -> Iterator[FieldError]:
    if changes.name is None:
        return
    if not changes.name.strip():
        yield FieldError("name", "is empty; send null to clear it")
    if len(changes.name) > NAME_CHARACTERS:
        yield FieldError("name", f"has more than {NAME_CHARACTERS} characters")


def name_is_one_line(changes: ProfileChanges) -> Iterator[FieldError]:
    if not is_one_line(changes.name or ""):
        yield FieldError("name", "has control characters or line breaks")


def phone_is_e164(changes: ProfileChanges) -> Iterator[FieldError]:
    if changes.phone is not None and not is_e164(changes.phone):
        yield FieldError("phone", "is not a phone number in E.164, such as +12015550123")


def is_e164(text: str) -> bool:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return False
    canonical = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return canonical == text and phonenumbers.is_possible_number(number)


def email_fits(email: str) -> Iterator[FieldError]:
    if not EMAIL.fullmatch(email.strip()) or len(email.strip()) > EMAIL_CHARACTERS:
        yield FieldError("email", "is no email address")


EMAIL_RULES = ValidatorChain[str](email_fits)
PROFILE_RULES = ValidatorChain[ProfileChanges](name_fits, name_is_one_line, phone_is_e164)
