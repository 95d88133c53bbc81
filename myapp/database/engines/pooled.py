"""Engines with a pool of connections to a server."""

import asyncio
from typing import Any

from myapp.database.engines.base import Engine

CLOSE_SECONDS = 5.0  # for connections that are still in use when the pool closes


class PooledEngine(Engine):
    """Opens the pool at its first use, once however many ask."""

    _pool: Any
    _pool_init_lock: asyncio.Lock

    async def open_pool(self) -> Any:
        """Raises TimeoutError when others try in vain for too long."""
        if self._pool is None:
            async with asyncio.timeout(self.checkout_seconds), self._pool_init_lock:
                if self._pool is None:
                    await self.create_connection(with_db=True)
        return self._pool

    async def give_back(self, connection: Any) -> None:
        if self._pool is not None:  # else it was closed, and its connections with it
            await self._pool.release(connection)
