"""What a feature may be called, and what follows from it."""

from fnmatch import fnmatchcase

import pytest

from myapp.scaffold.names import Names
from myapp.scaffold.refusal import Refused
from myapp.scaffold.registration import identifiers
from myapp.scaffold.rendering import check_distinct, render


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("invoice", "invoices"),
        ("line_item", "line_items"),
        ("category", "categories"),
        ("survey", "surveys"),
        ("address", "addresses"),
        ("status", "statuses"),
        ("box", "boxes"),
        ("batch", "batches"),
        ("brush", "brushes"),
    ],
)
def test_the_plural_is_what_english_makes_of_most_words(one: str, many: str) -> None:
    assert Names.parse(one).many == many


def test_the_plural_can_be_given() -> None:
    assert Names.parse("person", many="people").placeholders["path"] == "people"


def test_each_place_has_its_own_way_of_writing_it() -> None:
    assert Names.parse("line_item").placeholders == {
        "thing": "line_item",
        "things": "line_items",
        "Thing": "LineItem",
        "THING": "LINE_ITEM",
        "text": "line item",
        "texts": "line items",
        "Texts": "Line items",
        "path": "line-items",
    }


@pytest.mark.parametrize(
    ("one", "many", "said"),
    [
        ("", None, "snake_case"),
        ("Invoice", None, "snake_case"),
        ("line-item", None, "snake_case"),
        ("line__item", None, "snake_case"),
        ("_item", None, "snake_case"),
        ("2nd", None, "snake_case"),
        ("../evil", None, "snake_case"),
        ("rechnüng", None, "snake_case"),
        ("invoice\n", None, "snake_case"),
        ("x" * 31, None, "30 characters"),
        ("class", None, "Python"),
        ("match", None, "Python"),
        ("list", None, "Python"),
        ("test", None, "pytest"),
        ("test_run", None, "pytest"),
        ("invoices", None, "plural"),
        ("sheep", "sheep", "differ"),
        ("person", "Pe ople", "snake_case"),
    ],
)
def test_what_is_no_name_is_refused(one: str, many: str | None, said: str) -> None:
    with pytest.raises(Refused, match=said):
        Names.parse(one, many=many)


@pytest.mark.parametrize("one", ["title", "page", "task", "outbox", "query", "meta"])
def test_a_name_that_the_templates_use_for_something_else_is_refused(one: str) -> None:
    with pytest.raises(Refused, match="two things"):
        check_distinct(Names.parse(one))


@pytest.mark.parametrize(
    "one", ["invoice", "line_item", "client", "answer", "order", "testimonial", "x" * 30]
)
def test_any_other_is_fine(one: str) -> None:
    check_distinct(Names.parse(one))


def test_a_name_with_a_thing_in_it_stands_in_paths_as_it_is() -> None:
    paths = {path.name for path in render(Names.parse("clothing_item"))}
    assert {"clothing_item.py", "test_clothing_items.py"} <= paths


def test_no_name_makes_pytest_take_a_feature_for_its_tests(pytestconfig: pytest.Config) -> None:
    (pattern,) = pytestconfig.getini("python_classes")
    neutral = {name for text in render(Names.parse("zzz")).values() for name in identifiers(text)}
    for one in ("testimonial", "tester", "contest"):
        texts = render(Names.parse(one)).values()
        theirs = {name for text in texts for name in identifiers(text)} - neutral
        assert [name for name in theirs if fnmatchcase(name, pattern)] == []
    assert fnmatchcase("TestNames", pattern)
