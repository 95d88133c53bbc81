"""What pydantic finds wrong, by field and in the words that our own rules use.

A message reads after its field's name: "title is empty", "page is less than 1". No value that
was sent is in it, for that may be a secret.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from myapp.errors import FieldError

OBJECT, ARRAY, NUMBER = "is no object", "is no array", "is no number"
WHOLE, BOOLEAN = "is no whole number", "is neither true nor false"
MOMENT = "is no time, such as 2030-01-31T12:00:00Z"
DAY, CLOCK = "is no day, such as 2030-01-31", "is no time of day, such as 13:45"
DURATION, ADDRESS, IDENTIFIER = "is no duration, such as PT15M", "is no URL", "is no UUID"
CHOICE = "is {none_of_expected}"
NESTED = "is nested too deep"
NO_TEXT = "has characters that are no text"

# By pydantic's type of error: https://docs.pydantic.dev/latest/errors/validation_errors/
WORDS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "json_invalid": "is no JSON: {error}",
    "json_type": "is no JSON",
    "recursion_loop": NESTED,
    "recursion_depth_exceeded": NESTED,
    "none_required": "is not null",
    "enum": CHOICE,
    "literal_error": CHOICE,
    # Objects and arrays.
    "invalid_key": "has a key that is no string",
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dataclass_type": OBJECT,
    "dict_type": OBJECT,
    "frozen_dict_type": OBJECT,
    "ordered_dict_type": OBJECT,
    "counter_type": OBJECT,
    "mapping_type": OBJECT,
    "iterable_type": ARRAY,
    "list_type": ARRAY,
    "deque_type": ARRAY,
    "tuple_type": ARRAY,
    "named_tuple_type": "is neither an array nor an object",
    "set_type": ARRAY,
    "frozen_set_type": ARRAY,
    "set_item_not_hashable": "can be no part of a set",
    "too_short": "has fewer than {min_length} item{s}",
    "too_long": "has more than {max_length} item{s}",
    "union_tag_invalid": "has a {discriminator} that is {none_of_expected_tags}",
    "union_tag_not_found": "has no {discriminator}",
    # Text.
    "string_type": "is no string",
    "string_unicode": NO_TEXT,
    "string_too_short": "has fewer than {min_length} character{s}",
    "string_too_long": "has more than {max_length} character{s}",
    "string_pattern_mismatch": "does not match {pattern}",
    "string_not_ascii": "has characters other than ASCII",
    "bytes_type": "is no string",
    "bytes_too_short": "has fewer than {min_length} byte{s}",
    "bytes_too_long": "has more than {max_length} byte{s}",
    "bytes_invalid_encoding": NO_TEXT,
    "uuid_type": IDENTIFIER,
    "uuid_parsing": IDENTIFIER,
    "uuid_version": "is no UUID of version {expected_version}",
    "url_type": ADDRESS,
    "url_parsing": ADDRESS,
    "url_syntax_violation": ADDRESS,
    "url_too_long": "has more than {max_length} character{s}",
    "url_scheme": "is no URL that begins with {expected_schemes}",
    "path_type": "is no path",
    "path_not_file": "is no file",
    "path_not_directory": "is no folder",
    # Numbers.
    "bool_type": BOOLEAN,
    "bool_parsing": BOOLEAN,
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "int_parsing_size": "has too many digits",
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "decimal_type": NUMBER,
    "decimal_parsing": NUMBER,
    "decimal_max_digits": "has more than {max_digits} digits",
    "decimal_max_places": "has more than {decimal_places} digits after its point",
    "decimal_whole_digits": "has more than {whole_digits} digits before its point",
    "finite_number": "is no finite number",
    "greater_than": "is not more than {gt}",
    "greater_than_equal": "is less than {ge}",
    "less_than": "is not less than {lt}",
    "less_than_equal": "is more than {le}",
    "multiple_of": "is no multiple of {multiple_of}",
    # Time.
    "datetime_type": MOMENT,
    "datetime_parsing": MOMENT,
    "datetime_object_invalid": MOMENT,
    "datetime_from_date_parsing": MOMENT,
    "datetime_past": "is not over",
    "datetime_future": "is over",
    "timezone_aware": "has no time zone, such as the Z of 2030-01-31T12:00:00Z",
    "timezone_naive": "has a time zone",
    "timezone_offset": "has another time zone than it takes",
    "date_type": DAY,
    "date_parsing": DAY,
    "date_from_datetime_parsing": DAY,
    "date_from_datetime_inexact": DAY,
    "date_past": "is not over",
    "date_future": "is over",
    "time_type": CLOCK,
    "time_parsing": CLOCK,
    "time_delta_type": DURATION,
    "time_delta_parsing": DURATION,
}


def faults(error: ValidationError, *, whole: str = "") -> list[FieldError]:
    """All that pydantic found. What concerns no field alone is said of `whole`."""
    found = error.errors(include_url=False, include_input=False)
    return [FieldError(".".join(map(str, fault["loc"])) or whole, words(fault)) for fault in found]


def words(fault: Mapping[str, Any]) -> str:
    """One of pydantic's faults as a message; in its own words where we have none."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in ("value_error", "assertion_error"):  # a validator of ours, which said it
        return str(context["error"])
    if context.get("min_length") == 1 and kind.endswith("too_short"):
        return "is empty"
    template = WORDS.get(kind)
    return template.format(**plain(context)) if template else str(fault["msg"])


def plain(context: Mapping[str, Any]) -> dict[str, object]:
    """Pydantic's limits and choices as one would write them."""
    facts = {name: number(value) for name, value in context.items()}
    facts["s"] = "" if 1 in (facts.get("min_length"), facts.get("max_length")) else "s"
    for name in ("expected", "expected_tags", "expected_schemes"):
        if name in facts:
            facts[name] = listed = choices(str(facts[name]))
            facts[f"none_of_{name}"] = f"none of {listed}" if ", " in listed else f"not {listed}"
    if "error" in facts:  # of the JSON parser: where it stopped
        facts["error"] = str(facts["error"]).replace("EOF while parsing", "it ends within")
    return facts


def number(value: object) -> object:
    """20 for 20.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def choices(expected: str) -> str:
    """`a, b, c` for `'a', 'b' or 'c'`, and true for True."""
    listed = ", ".join(expected.replace("'", "").rsplit(" or ", 1))
    return {"True": "true", "False": "false"}.get(listed, listed)


@dataclass(frozen=True, slots=True)
class Fits:
    """That a text fits a pattern, and what is said of one that does not.

    In place of pydantic's own `Field(pattern=...)`, which would tell people the regular
    expression. It stands in the OpenAPI document like that one. It comes last, behind the limits
    of the text's length: `Annotated[str, Field(max_length=64), Fits(pattern=..., otherwise=...)]`.
    """

    _: KW_ONLY
    pattern: str
    otherwise: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        fits = core_schema.custom_error_schema(
            core_schema.str_schema(pattern=self.pattern),
            custom_error_type="text_form",
            custom_error_message=self.otherwise,
        )
        return core_schema.chain_schema([handler(source), fits])

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}
