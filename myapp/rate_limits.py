"""Rate limits: counts that all processes share through Redis.

A limit of N a minute is a sliding window: what came in this minute of the clock, and of the
minute before a share that shrinks as this one goes by. Each process knows the counts that it
asked for last and adds its own; what it could not yet tell Redis it tells in the background. So
a limit is kept by each process for itself while Redis is away, and a caller chooses between an
answer that waits for Redis (`take`) and one that does not (`take_at_once`).

The package `limits` is not used: it asks Redis once or twice for every answer, counts what it
refuses in its fixed windows, and has no way to go on from local counts.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Self

import structlog
from cachetools import LRUCache
from redis.asyncio import Redis
from redis.exceptions import RedisError

from myapp.bus import MessageBus
from myapp.config import Rate, Settings
from myapp.errors import RateLimited
from myapp.until import end

log = structlog.get_logger()

KEY = "myapp:rate:%s:%s:%d"  # limit, subject, number of the window
REDIS_SECONDS = 0.25  # a request waits for it
SYNC_SECONDS = 0.1  # between two reports of a process
MAX_SUBJECTS = 100_000
CHUNK = 500
SEND_SECONDS = 2.0
NETWORK_BITS = 64  # of an IPv6 address: the smallest network that anybody is given
ADDRESS_CHARACTERS = 64
REDIS_FAULTS = (RedisError, OSError, TimeoutError)

# This window's key and that of the one before; what to add, which is refused where one more would
# be beyond the ceiling, if there is one.
SCRIPT = """
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
local before = tonumber(redis.call('GET', KEYS[2]) or 0)
local add, ceiling, share, milliseconds = unpack(ARGV)
if ceiling ~= '' and before * share + count + 1 > tonumber(ceiling) then
  return {0, count, before}
end
if tonumber(add) > 0 then
  count = redis.call('INCRBY', KEYS[1], add)
  redis.call('PEXPIRE', KEYS[1], milliseconds)
end
return {1, count, before}
"""


class Limit(StrEnum):
    """What is limited, by the end of its setting's name."""

    FAILED_SIGN_IN = "failed_sign_in"
    TICKETS = "tickets"
    UPLOADS = "uploads"
    ANONYMOUS = "anonymous"
    USER = "user"
    KEY = "key"


@dataclass(slots=True)
class Tally:
    """What is known of one subject: counts of a window and the one before, ours included.

    `unsent` is how much of the present count Redis has not been told of.
    """

    window: int
    count: int = 0
    before: int = 0
    unsent: int = 0

    def turn_to(self, window: int) -> None:
        """Goes on to a later window; what was not sent by then is no more to be sent."""
        if window != self.window:
            self.before = self.count if window == self.window + 1 else 0
            self.window, self.count, self.unsent = window, 0, 0

    def learn(self, window: int, count: int, before: int) -> None:
        """Takes over what Redis has of a window, if it is still that; it may know of less."""
        if window == self.window:
            self.count = max(self.count, count + self.unsent)
            self.before = max(self.before, before)

    def wait(self, rate: Rate, share: float) -> float:
        """Seconds until one more fits, 0 where it does now; `share` is what `before` counts."""
        room = rate.count - self.count - 1
        if self.before * share <= room:
            return 0.0
        if room >= 0:
            return (share - room / self.before) * rate.seconds
        return (share + 1 - (rate.count - 1) / self.count) * rate.seconds


class RateLimits:
    """Counts by limit and subject. Open it as a context manager, inside the bus.

    A limit without a rate is off. No method fails for Redis.
    """

    def __init__(
        self,
        redis: Redis,
        bus: MessageBus,
        rates: Mapping[Limit, Rate | None],
        *,
        clock: Callable[[], float] = time.time,
        redis_seconds: float = REDIS_SECONDS,
    ) -> None:
        """A request waits for Redis for `redis_seconds` at most; then the process counts alone."""
        self._bus = bus
        self._redis_seconds = redis_seconds
        self._redis = redis
        self._script = redis.register_script(SCRIPT)
        self._rates = rates
        self._clock = clock
        self._tallies: LRUCache[tuple[Limit, str], Tally] = LRUCache(MAX_SUBJECTS)
        self._unsent: dict[tuple[Limit, str], Tally] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._report_for_ever(), name="rate limits")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end(self._task)

    def is_on(self, limit: Limit) -> bool:
        return self._rates.get(limit) is not None

    async def take(self, limit: Limit, subject: str) -> None:
        """Counts one, as all processes see it. Raises RateLimited, and then counts nothing."""
        await self._ask(limit, subject, add=1)

    async def check(self, limit: Limit, subject: str) -> None:
        """Raises RateLimited where one more would be too many, as all processes see it."""
        await self._ask(limit, subject, add=0)

    def take_at_once(self, limit: Limit, subject: str) -> None:
        """Counts one as far as this process knows, which lags behind the others a little."""
        if rate := self._rates.get(limit):
            self._refuse_beyond(rate, self._tally(limit, subject, rate))
            self.note(limit, subject)

    def note(self, limit: Limit, subject: str) -> None:
        """Counts one, whatever the limit says."""
        if rate := self._rates.get(limit):
            tally = self._tally(limit, subject, rate)
            tally.count += 1
            tally.unsent += 1
            self._unsent[limit, subject] = tally
            self._wake.set()

    async def _ask(self, limit: Limit, subject: str, *, add: int) -> None:
        rate = self._rates.get(limit)
        if rate is None:
            return
        tally = self._tally(limit, subject, rate)
        self._refuse_beyond(rate, tally)  # others can only have added to it
        fits = await self._ask_redis(limit, subject, tally, rate, add=add)
        if fits is None:
            self._refuse_beyond(rate, tally)
            if add:
                self.note(limit, subject)
        elif not fits:
            raise self._refusal(rate, tally)

    async def _ask_redis(
        self, limit: Limit, subject: str, tally: Tally, rate: Rate, *, add: int
    ) -> bool | None:
        """Whether it fits; None while Redis cannot say."""
        if not self._bus.connected:
            return None
        window = tally.window
        keys = keys_of(limit, subject, window)
        share = self._share(rate)
        try:
            async with asyncio.timeout(self._redis_seconds):
                fits, count, before = await self._script(
                    keys=keys, args=[add, rate.count, share, lifetime(rate)]
                )
        except REDIS_FAULTS as error:
            log.debug("rate limits are kept without redis", error=repr(error))
            return None
        tally.learn(window, count, before)
        return bool(fits)

    def _tally(self, limit: Limit, subject: str, rate: Rate) -> Tally:
        window = int(self._clock() // rate.seconds)
        tally = self._tallies.get((limit, subject))
        if tally is None:
            tally = self._tallies[limit, subject] = Tally(window)
        tally.turn_to(window)
        return tally

    def _share(self, rate: Rate) -> float:
        """How much of the window before still counts: what is left of this one."""
        return 1 - self._clock() % rate.seconds / rate.seconds

    def _refuse_beyond(self, rate: Rate, tally: Tally) -> None:
        if tally.wait(rate, self._share(rate)) > 0:
            raise self._refusal(rate, tally)

    def _refusal(self, rate: Rate, tally: Tally) -> RateLimited:
        return RateLimited(retry_after=max(tally.wait(rate, self._share(rate)), 1.0))

    async def _report_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._report()
            except REDIS_FAULTS as error:
                log.debug("rate limits are kept without redis", error=repr(error))
            await asyncio.sleep(SYNC_SECONDS)

    async def _report(self) -> None:
        """Tells Redis of our counts and learns the others'."""
        unsent, self._unsent = self._unsent, {}
        if not self._bus.connected:
            return  # what Redis is not told of soon is not worth telling
        waiting = list(unsent.items())
        for start in range(0, len(waiting), CHUNK):
            await self._send(waiting[start : start + CHUNK])

    async def _send(self, chunk: Sequence[tuple[tuple[Limit, str], Tally]]) -> None:
        windows = [tally.window for _, tally in chunk]
        async with asyncio.timeout(SEND_SECONDS), self._redis.pipeline(transaction=False) as pipe:
            for (limit, subject), tally in chunk:
                rate = self._rates[limit]
                assert rate  # noqa: S101  # only what has a rate is counted
                keys = keys_of(limit, subject, tally.window)
                args: list[str | int] = [tally.unsent, "", 0, lifetime(rate)]
                await self._script(keys=keys, args=args, client=pipe)
                tally.unsent = 0
            answers = await pipe.execute()
        for (_, tally), window, (_, count, before) in zip(chunk, windows, answers, strict=True):
            tally.learn(window, count, before)


def rates_of(settings: Settings) -> Mapping[Limit, Rate | None]:
    """The rate of each limit; None is off."""
    return {limit: getattr(settings, f"rate_limit_{limit}") for limit in Limit}


def keys_of(limit: Limit, subject: str, window: int) -> list[str]:
    return [KEY % (limit, subject, window), KEY % (limit, subject, window - 1)]


def lifetime(rate: Rate) -> int:
    """Milliseconds: a window still counts in the one after it."""
    return 2 * rate.seconds * 1000


def subject_of(address: str | None) -> str:
    """Whom an address stands for: an IPv6 address for its whole network."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return (address or "unknown")[:ADDRESS_CHARACTERS]  # a proxy sends what it likes
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), NETWORK_BITS), strict=False))
