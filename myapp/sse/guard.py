"""Who may go on reading: streams end when their user may no longer have them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import NamedTuple
from uuid import UUID

import structlog

from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.sse.stream import Stream

USERS_A_QUERY = 200  # for whose rows the event loop stands still for 2 ms
RETRY_SECONDS = 0.5
# The event that says why is on its way, from the outbox, as the change becomes known.
LAST_WORD_SECONDS = 0.3


class Standing(NamedTuple):
    """What of a user decides whether they may read."""

    id: UUID
    status: UserStatus
    role: UserRole


LoadStandings = Callable[[Sequence[UUID]], Awaitable[Iterable[Standing]]]

log = structlog.get_logger()


class Guard:
    """Asks the database about users who are suspected to have changed, many at a time."""

    def __init__(
        self, load: LoadStandings, *, streams_of: Callable[[UUID], Collection[Stream]]
    ) -> None:
        """`load` asks for those users that there are; `streams_of` are one user's open ones."""
        self._load = load
        self._streams_of = streams_of
        self._suspects: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._told = False

    def suspect(self, user_ids: Iterable[UUID]) -> None:
        """Has these users looked at again. It is cheap to suspect whoever has no stream."""
        suspects = {user_id: None for user_id in user_ids if self._streams_of(user_id)}
        self._suspects.update(suspects)
        if suspects:
            self._wake.set()

    async def run(self) -> None:
        """Looks at suspects, for ever. While the database is away their streams stay."""
        while True:
            await self._wake.wait()
            batch = list(islice(self._suspects, USERS_A_QUERY))
            for user_id in batch:
                del self._suspects[user_id]
            if not batch:
                self._wake.clear()
                continue
            try:
                self._judge(batch, await self._load(batch))
                self._told = False
            except Exception as error:  # noqa: BLE001  # whatever it was, they are asked for again
                if not self._told:
                    log.warning("users of open streams cannot be looked at", error=repr(error))
                self._told = True
                self.suspect(batch)
                await asyncio.sleep(RETRY_SECONDS)

    def _judge(self, user_ids: Sequence[UUID], users: Iterable[Standing]) -> None:
        found = {user.id: user for user in users}
        loop = asyncio.get_running_loop()
        for user_id in user_ids:
            for stream in tuple(self._streams_of(user_id)):
                if not may_read(found.get(user_id), as_admin=stream.reader.is_admin):
                    loop.call_later(LAST_WORD_SECONDS, stream.end)


def may_read(user: Standing | User | None, *, as_admin: bool) -> bool:
    """Whether a stream of theirs may be open."""
    return (
        user is not None
        and user.status is UserStatus.ACTIVE
        and (user.role is UserRole.ADMIN or not as_admin)
    )
