"""What a task is: a stable name, a typed payload, and its policy beside the name.

Definitions import no handlers, so whoever queues a task needs to know nothing of how it is done.
A feature binds its handlers: its `init` returns pairs of a task and a handler.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from myapp.backoff import Backoff
from myapp.errors import Invalid, NotFound
from myapp.faults import faults
from myapp.queue.schedule import check_schedule


class Payload(BaseModel):
    """What a job carries: ids, not objects. The handler loads afresh."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Nothing(Payload):
    """The payload of a task that needs none."""


PayloadT = TypeVar("PayloadT", bound=Payload)
RETRY = Backoff(base=2.0, cap=600.0)
NAME = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*")


class Retry(Exception):  # a handler's request, not a fault
    """Raised by a handler that wants to be called again in `after` seconds; an attempt is used."""

    def __init__(self, reason: str, *, after: float) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True, slots=True)
class Task(Generic[PayloadT]):
    """A kind of work, by a name `noun:verb` that never changes: jobs outlive releases.

    `timeout` is in seconds for one attempt; `keep` and `keep_failed` say how long an ended job
    stays to be looked at.
    """

    name: str
    payload: type[PayloadT]
    _: KW_ONLY
    queue: str = "default"
    timeout: float = 60.0
    attempts: int = 5
    backoff: Backoff = RETRY
    keep: timedelta = timedelta(hours=24)
    keep_failed: timedelta = timedelta(days=7)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no task name: it takes noun:verb")

    def parse(self, payload: str | bytes) -> PayloadT:
        """The payload from JSON text. Raises Invalid, with each fault by its field."""
        try:
            return self.payload.model_validate_json(payload)
        except ValidationError as error:
            raise Invalid(
                f"The payload of {self.name} is not valid", details=faults(error, whole="payload")
            ) from None


@dataclass(frozen=True, slots=True)
class Cron(Generic[PayloadT]):
    """A task queued by the clock: `schedule` is "minute hour day month weekday" in UTC.

    A sixth field stands for seconds. The name is its own: one task may have several crons.
    """

    name: str
    task: Task[PayloadT]
    schedule: str
    payload: PayloadT

    def __post_init__(self) -> None:
        check_schedule(self.schedule)


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler may know of the job that it does. `attempt` counts from 1."""

    key: str
    task: str
    queue: str
    attempt: int
    max_attempts: int
    request_id: str | None
    worker: str


Handler = Callable[[JobContext, PayloadT], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Registry:
    """Every task with its handler, and every cron, from the features' lists."""

    bound: dict[str, tuple[Task[Any], Handler[Any]]] = field(default_factory=dict)
    crons: dict[str, Cron[Any]] = field(default_factory=dict)

    @property
    def tasks(self) -> Sequence[Task[Any]]:
        """All tasks, by name."""
        return [task for _, (task, _) in sorted(self.bound.items())]

    def find(self, name: str) -> tuple[Task[Any], Handler[Any]]:
        """A task and its handler. Raises NotFound."""
        try:
            return self.bound[name]
        except KeyError:
            raise NotFound(f"There is no task {name!r}") from None

    def parse(self, name: str, payload: str | bytes) -> tuple[Task[Any], Payload]:
        """A task by its name with its payload from JSON: `queue.enqueue(*registry.parse(...))`.

        Raises NotFound for an unknown name and Invalid for a payload that is not the task's.
        """
        task, _ = self.find(name)
        return task, task.parse(payload)


def build_registry(
    tasks: Iterable[tuple[Task[Any], Handler[Any]]], crons: Iterable[Cron[Any]] = ()
) -> Registry:
    """The registry of a program. Raises ValueError for a name that is there twice, and for a
    cron whose task nobody handles: both are mistakes that must not wait until they are met.
    """
    registry = Registry()
    for task, handler in tasks:
        if task.name in registry.bound:
            raise ValueError(f"two tasks are named {task.name!r}")
        registry.bound[task.name] = (task, handler)
    for cron in crons:
        if cron.name in registry.crons:
            raise ValueError(f"two crons are named {cron.name!r}")
        if cron.task.name not in registry.bound:
            raise ValueError(f"cron {cron.name!r} has a task without a handler: {cron.task.name!r}")
        registry.crons[cron.name] = cron
    return registry
