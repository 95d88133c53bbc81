"""When each API key was last used, without a write for each use."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

import structlog
from cachetools import TTLCache

from myapp.database.api_key import USE_RESOLUTION, ApiKey
from myapp.errors import Unavailable
from myapp.until import end

BATCH_SECONDS = 1.0  # what comes within it is one write
RETRY_SECONDS = 10.0
CLOSE_SECONDS = 2.0
MAX_KEYS = 10_000

log = structlog.get_logger()


class KeyUses:
    """Notes uses and writes them in batches: at most once a minute for a key.

    Open it as a context manager; closing writes what is left.
    """

    def __init__(self) -> None:
        self._noted: TTLCache[UUID, None] = TTLCache(MAX_KEYS, USE_RESOLUTION.total_seconds())
        self._waiting: set[UUID] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="uses of API keys")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end(self._task)
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._write()

    def note(self, key: ApiKey) -> None:
        """This key is used now."""
        if key.id in self._noted:
            return
        self._noted[key.id] = None
        self._waiting.add(key.id)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(BATCH_SECONDS)
            self._wake.clear()
            try:
                await self._write()
            except Unavailable as error:
                log.debug("uses of API keys not recorded yet", error=str(error))
            except Exception:
                log.exception("uses of API keys not recorded")
            if self._waiting:
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def _write(self) -> None:
        key_ids: Collection[UUID] = frozenset(self._waiting)
        if key_ids:
            await ApiKey.record_use(key_ids, at=datetime.now(UTC))
            self._waiting.difference_update(key_ids)
