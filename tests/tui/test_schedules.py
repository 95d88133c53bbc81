"""Schedules in words."""

import pytest

from myapp.tui.schedules import in_words


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0 * * * *", "hourly at :00"),
        ("30 */6 * * *", "every 6 hours at :30"),
        ("0 3 * * *", "daily at 03:00 UTC"),
        ("5 14  * * 7", "Sundays at 14:05 UTC"),
        ("0 9 * * 1-5", "Monday to Friday at 09:00 UTC"),
        ("0 0 1 * *", "monthly on day 1 at 00:00 UTC"),
        ("* * * * * */10", "every 10 seconds"),
        ("0,30 3 * 1 mon#1", "0,30 3 * 1 mon#1"),
    ],
)
def test_are_what_an_operator_would_say(schedule: str, words: str) -> None:
    assert in_words(schedule) == words
