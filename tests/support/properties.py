"""How properties are tried: the same examples in every run, however slow the machine is."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings


def bounded(examples: int) -> Callable[[Any], Any]:
    """So many examples, chosen without chance and without a deadline.

    Fixtures are shared by all of them: what one leaves behind the next has to clear away.
    """
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
