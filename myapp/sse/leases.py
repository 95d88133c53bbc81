"""How many streams a user has open, over all processes; a crashed process counts for a while."""

import secrets
from collections.abc import Iterable
from uuid import UUID

from redis.asyncio import Redis

from myapp.errors import RateLimited
from myapp.sse.scripts import Scripts

STREAMS_A_USER = 10
LEASE_SECONDS = 45.0  # three renewals
RENEWALS_A_CALL = 200  # Redis does nothing else meanwhile
RETRY_AFTER_SECONDS = 10.0


class Leases:
    """A lease for each stream, which its process renews. Methods raise Unavailable."""

    def __init__(self, redis: Redis, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._scripts = Scripts(redis)
        self._milliseconds = round(lease_seconds * 1000)
        self._process = secrets.token_hex(8)

    async def claim(self, user_id: UUID, number: int) -> None:
        """Takes a lease for this process' stream of that number. Raises RateLimited."""
        name = self._name(number)
        if not await self._scripts.call(
            "claim", str(user_id), name, self._milliseconds, STREAMS_A_USER
        ):
            raise RateLimited(
                f"At most {STREAMS_A_USER} streams may be open at once",
                retry_after=RETRY_AFTER_SECONDS,
            )

    async def renew(self, streams: Iterable[tuple[UUID, int]]) -> None:
        """Holds on to the leases of these streams, by user and number."""
        pairs = [(str(user_id), self._name(number)) for user_id, number in streams]
        for start in range(0, len(pairs), RENEWALS_A_CALL):
            names = [name for pair in pairs[start : start + RENEWALS_A_CALL] for name in pair]
            await self._scripts.call("renew", self._milliseconds, *names)

    async def release(self, user_id: UUID, number: int) -> None:
        await self._scripts.call("release", str(user_id), self._name(number))

    async def report(self, streams: int) -> None:
        """Says how many streams this process has open."""
        await self._scripts.call("report", self._process, streams, self._milliseconds)

    async def total(self) -> int:
        """The open streams of all processes, as they last reported."""
        return int(await self._scripts.call("total"))

    def _name(self, number: int) -> str:
        return f"{self._process}:{number}"
