"""What pydantic finds, in words of ours."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pytest
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core.core_schema import ErrorType

from myapp.enums import UserStatus
from myapp.errors import FieldError
from myapp.faults import WORDS, Fits, faults

# They come of Python objects, calls and types that no text from outside becomes.
INTERNAL = {
    *("no_such_attribute", "get_attribute_error", "needs_python_object", "iteration_error"),
    *("frozen_field", "frozen_instance", "default_factory_not_called", "dataclass_exact_type"),
    *("is_instance_of", "is_subclass_of", "callable_type", "ellipsis_error"),
    *("missing_sentinel_error", "arguments_type", "missing_argument"),
    *("missing_keyword_only_argument", "unexpected_keyword_argument"),
    "unexpected_positional_argument",
    *("missing_positional_only_argument", "multiple_argument_values"),
    *("complex_type", "complex_str_parsing", "fraction_type", "fraction_parsing"),
}
OWN = {"value_error", "assertion_error"}  # what a validator of ours says


def refuse_all(_value: str) -> str:
    raise ValueError("is not to our taste")


class Everything(BaseModel):
    """A field of each kind that a DTO has."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[str, Field(min_length=1, max_length=3)] = "a"
    longer: Annotated[str, Field(min_length=2, max_length=9)] = "ab"
    shape: Annotated[
        str, Field(max_length=3), Fits(pattern="^[a-z{}]*$", otherwise="is not {a-z}")
    ] = ""
    maybe: Annotated[str, Fits(pattern="^a*$", otherwise="is not a")] | None = None
    taste: Annotated[str, AfterValidator(refuse_all)] = ""
    size: Annotated[int, Field(ge=1, le=100)] = 1
    share: Annotated[float, Field(gt=0.5, lt=20)] = 1.0
    flag: bool = False
    always: Literal[True] = True
    order: Literal["name", "-name"] = "name"
    status: UserStatus = UserStatus.ACTIVE
    id: UUID | None = None
    ids: Annotated[list[UUID], Field(min_length=1, max_length=1)] = []
    data: dict[str, str] = {}
    moment: AwareDatetime | None = None
    day: date | None = None


def found(content: str | Mapping[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        if isinstance(content, str):
            Everything.model_validate_json(content)
        else:
            Everything.model_validate_strings(dict(content))
    return [(fault.field, fault.message) for fault in faults(caught.value)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"text": ""}', "text is empty"),
        ('{"text": "long"}', "text has more than 3 characters"),
        ('{"text": null}', "text is no string"),
        ('{"longer": "a"}', "longer has fewer than 2 characters"),
        ('{"shape": "A"}', "shape is not {a-z}"),
        ('{"shape": "AAAA"}', "shape has more than 3 characters"),
        ('{"shape": 1}', "shape is no string"),
        ('{"maybe": "b"}', "maybe is not a"),
        ('{"taste": "b"}', "taste is not to our taste"),
        ('{"size": 0}', "size is less than 1"),
        ('{"size": 101}', "size is more than 100"),
        ('{"size": 1.5}', "size is no whole number"),
        ('{"size": "1"}', "size is no whole number"),
        ('{"share": 0.5}', "share is not more than 0.5"),
        ('{"share": 20}', "share is not less than 20"),
        ('{"flag": "yes"}', "flag is neither true nor false"),
        ('{"always": false}', "always is not true"),
        ('{"order": "id"}', "order is none of name, -name"),
        ('{"status": "gone"}', "status is none of active, suspended, deleted"),
        ('{"id": "x"}', "id is no UUID"),
        ('{"id": 1}', "id is no UUID"),
        ('{"ids": []}', "ids is empty"),
        ('{"ids": {}}', "ids is no array"),
        ('{"ids": ["x"]}', "ids.0 is no UUID"),
        ('{"data": []}', "data is no object"),
        ('{"data": {"a": 1}}', "data.a is no string"),
        ('{"moment": "soon"}', "moment is no time, such as 2030-01-31T12:00:00Z"),
        (
            '{"moment": "2030-01-31T12:00:00"}',
            "moment has no time zone, such as the Z of 2030-01-31T12:00:00Z",
        ),
        ('{"day": "soon"}', "day is no day, such as 2030-01-31"),
        ('{"other": 1}', "other is not known here"),
        ("[]", " is no object"),
        ("{", " is no JSON: it ends within an object at line 1 column 1"),
    ],
)
def test_a_fault_of_a_body_is_plain(body: str, said: str) -> None:
    assert [f"{field} {message}" for field, message in found(body)] == [said]


def test_so_is_one_of_a_query_string() -> None:
    assert found({"size": "many", "flag": "perhaps", "id": "me"}) == [
        ("size", "is no whole number"),
        ("flag", "is neither true nor false"),
        ("id", "is no UUID"),
    ]


def test_one_of_a_list_counts_its_items() -> None:
    a, b = UUID(int=1), UUID(int=2)
    assert found(f'{{"ids": ["{a}", "{b}"]}}') == [("ids", "has more than 1 item")]


def test_what_is_left_out_is_required() -> None:
    class Named(BaseModel):
        name: str

    with pytest.raises(ValidationError) as caught:
        Named.model_validate_json("{}")
    assert faults(caught.value) == [FieldError("name", "is required")]


def test_what_concerns_no_field_is_said_of_the_whole() -> None:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate_json("[]")
    assert faults(caught.value, whole="payload") == [FieldError("payload", "is no object")]


def test_a_value_is_never_in_it() -> None:
    told = str(found('{"text": "hunter2", "size": "hunter2", "id": "hunter2", "shape": "HUNTER2"}'))
    assert "hunter2" not in told.lower()


def test_every_kind_of_fault_has_words() -> None:
    """Those that pydantic may find some day in a feature yet to be written, too."""
    assert set(get_args(ErrorType)) - INTERNAL - OWN - set(WORDS) == set()


def test_a_pattern_stands_in_the_schema_beside_the_length() -> None:
    schema: dict[str, Any] = Everything.model_json_schema()["properties"]
    assert schema["shape"]["pattern"] == "^[a-z{}]*$"
    assert schema["shape"]["maxLength"] == 3
    assert schema["maybe"]["anyOf"] == [{"type": "string", "pattern": "^a*$"}, {"type": "null"}]
