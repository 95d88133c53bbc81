"""What a push service is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from myapp.enums import PushOutcome

MAX_BATCH = 500  # what FCM takes at once


@dataclass(frozen=True, slots=True)
class PushMessage:
    """What devices are to show. A device replaces an earlier message of the same id."""

    id: UUID
    title: str
    body: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PushResult:
    """The outcome for one token. `retry_after`, in seconds, is what the service asks for."""

    outcome: PushOutcome
    error: str | None = None
    retry_after: float | None = None


class PushProvider(Protocol):
    """Sends messages to devices."""

    async def send(self, message: PushMessage, tokens: Sequence[str]) -> Sequence[PushResult]:
        """One result for each of at most MAX_BATCH tokens, in their order; it never raises for
        what the service does or fails to do.
        """

    async def close(self) -> None:
        """Gives back threads and connections."""
