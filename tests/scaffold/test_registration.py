"""Lists of source text, longer by one."""

import pytest

from myapp.scaffold.refusal import Refused
from myapp.scaffold.registration import append_to_import, append_to_tuple, identifiers


@pytest.mark.parametrize(
    ("source", "longer"),
    [
        ("F = (a, b)", "F = (a, b, c)"),
        ("F = (a,)", "F = (a, c,)"),
        (
            "F = (  # why\n    a,\n    b,\n)\nG = (d,)",
            "F = (  # why\n    a,\n    b, c,\n)\nG = (d,)",
        ),
        ("é = 'é'; F = ('é', b)", "é = 'é'; F = ('é', b, c)"),
        ("def f():\n    F = (a,)\nF = (b,)", "def f():\n    F = (a,)\nF = (b, c,)"),
    ],
)
def test_a_tuple_gets_one_more_at_its_end(source: str, longer: str) -> None:
    assert append_to_tuple(source, "F", "c") == longer


@pytest.mark.parametrize(
    ("source", "longer"),
    [
        ("from m import a", "from m import a, c"),
        ("from m.n import a\nfrom m import (a, b)", "from m.n import a\nfrom m import (a, b, c)"),
        ("from m import (\n    a,\n)", "from m import (\n    a, c,\n)"),
    ],
)
def test_an_import_gets_one_more_name(source: str, longer: str) -> None:
    assert append_to_import(source, "m", "c") == longer


@pytest.mark.parametrize("source", ["", "F = [a]", "F = ()", "F = (a,)\nF = (b,)", "G = (a,)"])
def test_what_is_not_there_as_expected_is_left_alone(source: str) -> None:
    with pytest.raises(Refused, match="F"):
        append_to_tuple(source, "F", "c")
    with pytest.raises(Refused, match="from m"):
        append_to_import(source, "m", "c")


def test_identifiers_are_all_names_of_a_source() -> None:
    source = "from m import a as b\nimport n\nclass C:\n    async def d(self, e):\n        f.g(h=1)"
    assert set(identifiers(source)) == {"b", "n", "C", "d", "self", "e", "f", "g", "h"}
