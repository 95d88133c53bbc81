"""Cron schedules in words."""

import re

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

# By the schedule with every number as N; the numbers are given in their order, days by name.
WORDS = {
    "* * * * *": "every minute",
    "*/N * * * *": "every {0} minutes",
    "N * * * *": "hourly at :{0:02}",
    "N */N * * *": "every {1} hours at :{0:02}",
    "N N * * *": "daily at {1:02}:{0:02} UTC",
    "N N * * N": "{days[2]}s at {1:02}:{0:02} UTC",
    "N N * * N-N": "{days[2]} to {days[3]} at {1:02}:{0:02} UTC",
    "N N N * *": "monthly on day {2} at {1:02}:{0:02} UTC",
    "* * * * * *": "every second",
    "* * * * * */N": "every {0} seconds",
}
NUMBER = re.compile(r"\d+")


def in_words(schedule: str) -> str:
    """The common ones as a sentence would have them, any other as it is."""
    shape = NUMBER.sub("N", " ".join(schedule.split()))
    numbers = [int(each) for each in NUMBER.findall(schedule)]
    words = WORDS.get(shape, schedule)
    return words.format(*numbers, days=[DAYS[number % len(DAYS)] for number in numbers])
