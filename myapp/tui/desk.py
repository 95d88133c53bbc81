"""What the views work with."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from redis.exceptions import RedisError

from myapp.audit import Actor
from myapp.database.audit import ActorType
from myapp.errors import AppError
from myapp.health import Check
from myapp.registry import Features

REFRESH_SECONDS = 2.0
CHECK_SECONDS = 2.0
# What an operator calls the parts that `Resources.checks` names.
PARTS = {"database": "The database", "redis": "Redis"}


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The features, who acts, and how. `refresh` is in seconds, `now` tells the time in UTC."""

    features: Features
    connected_to: str
    checks: Mapping[str, Check] = field(default_factory=dict)
    readonly: bool = False
    refresh: float = REFRESH_SECONDS
    now: Callable[[], datetime] = utc_now
    actor: Actor = field(default_factory=lambda: Actor.at_terminal(ActorType.TUI))

    async def find_what_is_away(self) -> str | None:
        """The parts that do not answer, as a sentence; None when all do."""
        parts = [name for name in PARTS if name in self.checks]
        async with asyncio.TaskGroup() as group:
            answers = {name: group.create_task(answers_check(self.checks[name])) for name in parts}
        away = [PARTS[name] for name, answer in answers.items() if not answer.result()]
        if not away:
            return None
        return " and ".join(away) + (" do not answer" if len(away) > 1 else " does not answer")


async def answers_check(check: Check) -> bool:
    with suppress(AppError, RedisError, OSError, TimeoutError):
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
        return True
    return False
