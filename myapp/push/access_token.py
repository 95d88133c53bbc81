"""The access token for FCM: one refresh for all, beside the loop that sends."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from myapp.push.loop_thread import LoopThread
from myapp.until import end

HTTP_SECONDS = 10.0
# Early enough that pushes go on for some minutes while no other token is to be had.
REFRESH_MARGIN = timedelta(minutes=10)
# firebase-admin itself refreshes 3:45 before the end, and then the loop stands still. A batch that
# has begun is over within a minute.
BATCH_MARGIN = timedelta(minutes=4, seconds=45)
RETRY_SECONDS = 15.0
TOKEN_ERRORS = (GoogleAuthError, ValueError)  # the latter for an answer that makes no sense

log = structlog.get_logger()


class AccessToken:
    """A credential's token; methods belong to one event loop.

    To refresh it is a blocking call, and so has a thread of its own.
    """

    def __init__(self, credential: Any) -> None:
        """`credential` is google-auth's."""
        self._credential = credential
        self._thread = LoopThread("fcm-token")
        self._refreshing: asyncio.Task[Exception | None] | None = None
        self._next_try = 0.0
        self._failing = False

    async def ensure(self) -> None:
        """Returns when there is one that lasts for a batch.

        One that nears its end is refreshed meanwhile, and goes on to serve where that fails.
        Raises one of TOKEN_ERRORS when there is none, the same to all who wait.
        """
        if self._lasts(REFRESH_MARGIN):
            return
        if self._lasts(BATCH_MARGIN):
            if time.monotonic() >= self._next_try:
                self._begin()
        elif error := await asyncio.shield(self._begin()):
            raise error

    async def close(self) -> None:
        """Ends the thread; a refresh that is under way is dropped."""
        if self._refreshing:
            await end(self._refreshing)
        self._thread.end()

    def _lasts(self, margin: timedelta) -> bool:
        expiry: datetime | None = self._credential.expiry  # in UTC, and naive
        if self._credential.token is None or expiry is None:
            return False
        return expiry - datetime.now(UTC).replace(tzinfo=None) >= margin

    def _begin(self) -> asyncio.Task[Exception | None]:
        """The refresh that is under way, or a new one."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh())
        return self._refreshing

    async def _refresh(self) -> Exception | None:
        """Returns what went wrong: it may be that nobody waits for it."""
        try:
            error = await self._thread.run(self._refresh_there)
        finally:
            self._refreshing = None
        if error is None:
            self._failing = False
            return None
        self._next_try = time.monotonic() + RETRY_SECONDS
        if not self._failing:  # said once, however long it lasts
            trace = None if isinstance(error, TOKEN_ERRORS) else error
            log.warning("no new access token for FCM", error=repr(error), exc_info=trace)
        self._failing = True
        return error

    async def _refresh_there(self) -> Exception | None:
        try:
            self._credential.refresh(partial(Request(), timeout=HTTP_SECONDS))
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            return error
        return None
