"""Bars of the last values."""

from myapp.tui.sparkline import bars


def test_reach_from_zero_to_the_greatest_and_end_at_the_right() -> None:
    assert bars([8, 4, 0, 2], 6) == ["  █▄ ▂"]


def test_may_have_more_room_than_they_need() -> None:
    assert bars([1, 2], 2, most=4) == ["▂▄"]


def test_show_the_last_values_that_fit() -> None:
    assert bars([100, 1, 1], 2) == ["██"]


def test_tell_what_is_unknown_from_zero_and_a_little_from_nothing() -> None:
    assert bars([None, 0, 0.001, 10], 4) == ["· ▁█"]


def test_of_nothing_are_empty() -> None:
    assert (bars([], 3), bars([0.0], 3)) == (["   "], ["   "])


def test_may_be_several_lines_high() -> None:
    assert bars([8, 4, 6, None], 4, height=2) == ["█ ▄ ", "███·"]
