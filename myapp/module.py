"""What a feature adds to the program."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from myapp.queue.tasks import Cron, Handler, Task

Cleanup = Callable[[], Awaitable[int]]


@dataclass(frozen=True, kw_only=True)
class Module:
    """A feature's background work; each feature's own class adds its usecases.

    A cleanup removes what has expired, in batches, and returns how many rows or objects it
    removed; the task `cleanup:expired` calls every feature's, by these names.
    """

    tasks: Sequence[tuple[Task[Any], Handler[Any]]] = ()
    crons: Sequence[Cron[Any]] = ()
    cleanups: dict[str, Cleanup] = field(default_factory=dict)
