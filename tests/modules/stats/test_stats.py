"""/admin/stats."""

import asyncio
import os

from httpx import AsyncClient

from myapp.cleanup import CLEANUP_EXPIRED
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.queue.tasks import Nothing
from myapp.queue.worker import Worker
from myapp.registry import Features
from myapp.resources import Resources
from tests.support.people import Person
from tests.support.valkey import Valkey


async def test_counts_users_jobs_and_processes(
    client: AsyncClient, root: Person, resources: Resources, features: Features
) -> None:
    await User.create(status=UserStatus.SUSPENDED)
    await User.create(status=UserStatus.DELETED, role=UserRole.ADMIN)
    await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing())
    worker = Worker(resources.queue_redis, features.tasks, queues=["default"], concurrency=1)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await asyncio.sleep(0.5)
        answer = await client.get("/admin/stats", headers=root.headers)
        stop.set()
    assert answer.status_code == 200
    stats = answer.json()["data"]
    assert stats["users"] == {"active": 1, "suspended": 1, "deleted": 1, "administrators": 1}
    low = next(queue for queue in stats["queues"] if queue["name"] == "low")
    assert (low["queued"], low["failed"]) == (1, 0)
    assert (stats["streams"], stats["outbox"]["waiting"]) == (0, 0)
    [process] = stats["processes"]
    assert (process["role"], process["pid"]) == ("worker", os.getpid())


class TestWithoutRedis:
    async def test_still_counts_users(
        self, client: AsyncClient, root: Person, own_valkey: Valkey, resources: Resources
    ) -> None:
        own_valkey.kill()
        answer = await client.get("/admin/stats", headers=root.headers)
        stats = answer.json()["data"]
        assert (answer.status_code, stats["users"]["active"]) == (200, 1)
        assert (stats["queues"], stats["processes"]) == (None, None)
