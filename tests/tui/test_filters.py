"""What is typed after `/`."""

import pytest

from myapp.tui.filters import Filter

NAMES = ("queue", "task")


class TestFilter:
    @pytest.mark.parametrize(
        ("typed", "fields", "text"),
        [
            ("", {}, ""),
            ("two words", {}, "two words"),
            ("queue:low  rest", {"queue": "low"}, "rest"),
            ("task:sync:data", {"task": "sync:data"}, ""),
            ("sync:data", {}, "sync:data"),
            ("queue: x", {}, "queue: x"),
            ("queue:a queue:b", {"queue": "b"}, ""),
        ],
    )
    def test_is_fields_and_a_text(self, typed: str, fields: dict[str, str], text: str) -> None:
        assert Filter.parse(typed, NAMES) == Filter(fields, text)

    def test_reads_as_it_would_be_typed(self) -> None:
        chosen = Filter.parse("rest queue:low", NAMES)
        assert str(chosen) == "queue:low rest"
        assert str(chosen.replace("queue", None).replace("task", "a:b")) == "task:a:b rest"
