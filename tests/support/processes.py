"""Waiting for what processes say of themselves."""

import asyncio

from redis.asyncio import Redis

from myapp.processes import ProcessState, read_processes

SECONDS = 10.0


async def wait_for_processes(redis: Redis, count: int) -> list[ProcessState]:
    """Those that are announced, once there are so many."""
    async with asyncio.timeout(SECONDS):
        while len(found := await read_processes(redis)) != count:  # noqa: ASYNC110  # Redis sets no event
            await asyncio.sleep(0.01)
    return found
