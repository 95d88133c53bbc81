"""Cron expressions: five fields in UTC, or six with the seconds last."""

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

FIELDS = (5, 6)


def check_schedule(schedule: str) -> None:
    """Raises ValueError for what is no schedule, or one that never comes (the 30th of February)."""
    if len(schedule.split()) not in FIELDS or not croniter.is_valid(schedule):
        raise ValueError(f"{schedule!r} is no cron schedule")
    next_tick(schedule, 0)


def next_tick(schedule: str, after: float) -> int:
    """The first tick later than `after`, both in seconds since 1970."""
    return int(croniter(schedule, after).get_next(float))
