"""Streams whose sign-in the identity provider has ended: the token would open no other."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from itertools import islice

import structlog

from myapp.identity.base import MOST_SIGN_INS, SignIn
from myapp.sse.stream import Stream

REVOCATION_SECONDS = 120.0  # with the memory of a verification still within minutes

MOST_FAILURES = 3  # then a round is given up: the provider is away

FindEnded = Callable[[Collection[SignIn]], Awaitable[Collection[SignIn]]]

log = structlog.get_logger()


class Revocation:
    """Asks the provider about the sign-ins of all open streams, many at a time."""

    def __init__(
        self,
        find_ended: FindEnded,
        *,
        streams: Callable[[], Iterable[Stream]],
        period: float = REVOCATION_SECONDS,
    ) -> None:
        """`find_ended` is IdentityProvider's; a round begins `period` seconds after the last one
        has ended.
        """
        self._find_ended = find_ended
        self._streams = streams
        self._period = period

    async def run(self) -> None:
        """Ends streams, for ever. While the provider does not answer they stay."""
        while True:
            await asyncio.sleep(self._period)
            await self._look()

    async def _look(self) -> None:
        streams: dict[SignIn, list[Stream]] = {}
        for stream in self._streams():
            streams.setdefault(stream.reader.sign_in, []).append(stream)
        sign_ins = iter(streams)
        failures = 0
        while chunk := list(islice(sign_ins, MOST_SIGN_INS)):
            try:
                ended = await self._find_ended(chunk)
            except Exception as error:  # noqa: BLE001  # whatever it was, they are asked for again
                failures += 1
                log.warning("sign-ins of open streams cannot be looked at", error=repr(error))
                if failures == MOST_FAILURES:
                    return
                continue
            failures = 0
            for sign_in in ended:
                log.info("streams of a sign-in that was ended", streams=len(streams[sign_in]))
                for stream in streams[sign_in]:
                    stream.end()
