"""The push provider for development: says what it would push."""

from collections.abc import Sequence

import structlog

from myapp.enums import PushOutcome
from myapp.push.base import PushMessage, PushResult

log = structlog.get_logger()


class LogProvider:
    """Writes a line a batch to the log; nothing leaves the machine."""

    async def send(self, message: PushMessage, tokens: Sequence[str]) -> Sequence[PushResult]:
        """See PushProvider. Tokens are as good as addresses and stay out of the log."""
        log.info("push", notification=str(message.id), devices=len(tokens))
        return [PushResult(PushOutcome.SENT)] * len(tokens)

    async def close(self) -> None:
        """Nothing is open."""
