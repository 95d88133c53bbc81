"""/admin/stats."""

import os

from httpx import AsyncClient

from myapp.cleanup import CLEANUP_EXPIRED
from myapp.database.user import User
from myapp.enums import Role, UserRole, UserStatus
from myapp.processes import Presence
from myapp.queue.tasks import Nothing
from myapp.resources import Resources
from tests.support.people import Person
from tests.support.processes import wait_for_processes
from tests.support.valkey import Valkey


async def test_counts_users_jobs_and_processes(
    client: AsyncClient, root: Person, resources: Resources
) -> None:
    await User.create(status=UserStatus.SUSPENDED)
    await User.create(status=UserStatus.DELETED, role=UserRole.ADMIN)
    await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing())
    roles = [Role.API, Role.SCHEDULER]
    async with Presence(resources.redis, resources.metrics, roles=roles) as present:
        await wait_for_processes(resources.redis, 1)
        answer = await client.get("/admin/stats", headers=root.headers)
    assert answer.status_code == 200
    stats = answer.json()["data"]
    assert stats["users"] == {"active": 1, "suspended": 1, "deleted": 1, "administrators": 1}
    low = next(queue for queue in stats["queues"] if queue["name"] == "low")
    assert (low["queued"], low["failed"]) == (1, 0)
    assert (stats["streams"], stats["outbox"]["waiting"]) == (0, 0)
    [process] = stats["processes"]
    assert (process["id"], process["role"]) == (present.id, "api,scheduler")
    assert (process["pid"], process["jobs_done"]) == (os.getpid(), None)


class TestWithoutRedis:
    async def test_still_counts_users(
        self, client: AsyncClient, root: Person, own_valkey: Valkey, resources: Resources
    ) -> None:
        own_valkey.kill()
        answer = await client.get("/admin/stats", headers=root.headers)
        stats = answer.json()["data"]
        assert (answer.status_code, stats["users"]["active"]) == (200, 1)
        assert (stats["queues"], stats["processes"]) == (None, None)
