"""/admin/jobs, /admin/queues, /admin/crons and /admin/workers."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from httpx import AsyncClient
from redis.asyncio import Redis

from myapp.audit import SYSTEM, record_change
from myapp.cleanup import CLEANUP_EXPIRED
from myapp.database.audit import AuditRecord
from myapp.modules.job.tasks import BulkRest, finish_bulk
from myapp.modules.job.usecases import JobUsecase
from myapp.queue.admin import JobAction, JobBoard, JobFilter
from myapp.queue.admin_bulk import CHUNK, BulkActions
from myapp.queue.keys import Key
from myapp.queue.records import JobStatus
from myapp.queue.tasks import JobContext, Nothing
from myapp.queue.worker import Worker
from myapp.registry import Features
from myapp.resources import Resources
from tests.support.people import Person
from tests.support.valkey import Valkey

JOB_FIELDS = (
    "key, task, queue, status, payload, attempts, max_attempts, errors, result, request_id, "
    "worker, enqueued_at, scheduled_at, started_at, finished_at"
)
QUEUE_FIELDS = (
    "name, paused, scheduled, queued, active, complete, failed, cancelled, latency_seconds, "
    "processed_per_minute, failed_per_minute"
)
CRON_FIELDS = "name, task, schedule, paused, next_run_at, last_run_at, last_status"
WORKER_FIELDS = "id, role, host, pid, version, queues, concurrency, active, started_at, memory_mb"


async def queue_job(resources: Resources, **options: Any) -> str:
    return await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing(), **options)


async def actions() -> list[tuple[str, str, str]]:
    records = await AuditRecord.all().order_by("id").filter(actor_type="user")
    return [(one.action, one.target_type, one.target_id) for one in records]


class TestJobs:
    async def test_have_the_shape_of_the_contract(
        self, client: AsyncClient, root: Person, resources: Resources
    ) -> None:
        key = await queue_job(resources, delay=60, request_id="abc")
        answer = (await client.get("/admin/jobs?status=scheduled", headers=root.headers)).json()
        assert answer["meta"] == {"page": 1, "per_page": 20, "total": 1, "total_pages": 1}
        (job,) = answer["data"]
        assert ", ".join(job) == JOB_FIELDS
        assert (job["key"], job["task"], job["queue"]) == (key, "cleanup:expired", "low")
        assert (job["request_id"], job["errors"], job["payload"]) == ("abc", [], {})
        assert job["scheduled_at"].endswith("Z")
        one = await client.get(f"/admin/jobs/{key}", headers=root.headers)
        assert one.json()["data"] == job

    @pytest.mark.parametrize("key", ["cron:x:1", "a/b/retry", "%25", "a?b", "x#y"])
    async def test_may_have_any_key(
        self, client: AsyncClient, root: Person, resources: Resources, key: str
    ) -> None:
        await queue_job(resources, key=key)
        answer = await client.get(f"/admin/jobs/{quote(key, safe='')}", headers=root.headers)
        assert answer.json()["data"]["key"] == key

    @pytest.mark.parametrize(
        "parameters", ["status=done", "page=0", "per_page=101", "colour=red", "q=" + "x" * 201]
    )
    async def test_refuse_parameters_that_make_no_sense(
        self, client: AsyncClient, root: Person, parameters: str
    ) -> None:
        answer = await client.get(f"/admin/jobs?{parameters}", headers=root.headers)
        assert answer.status_code == 400

    async def test_go_from_cancelled_to_queued_to_deleted(
        self, client: AsyncClient, root: Person, resources: Resources
    ) -> None:
        key = await queue_job(resources)
        for act, status in (("cancel", "cancelled"), ("retry", "queued")):
            answer = await client.post(f"/admin/jobs/{key}/{act}", headers=root.headers)
            assert answer.json()["data"]["status"] == status
        answer = await client.delete(f"/admin/jobs/{key}", headers=root.headers)
        assert answer.json() == {"success": True, "data": None}
        answer = await client.get(f"/admin/jobs/{key}", headers=root.headers)
        assert answer.status_code == 404
        verbs = ("job.cancelled", "job.retried", "job.deleted")
        assert await actions() == [(verb, "job", key) for verb in verbs]

    @pytest.mark.parametrize(
        ("status", "method", "path"),
        [("active", "DELETE", ""), ("queued", "POST", "/retry"), ("complete", "POST", "/cancel")],
    )
    async def test_refuse_what_does_not_fit_and_leave_no_record(
        self,
        client: AsyncClient,
        root: Person,
        resources: Resources,
        status: str,
        method: str,
        path: str,
    ) -> None:
        key = await queue_job(resources)
        await resources.queue_redis.hset(Key.JOB % key, "status", status)  # type: ignore[misc]  # sync or async
        answer = await client.request(method, f"/admin/jobs/{key}{path}", headers=root.headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert await actions() == []

    async def test_that_are_unknown_are_not_found(self, client: AsyncClient, root: Person) -> None:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("POST", "/cancel")):
            answer = await client.request(method, f"/admin/jobs/x{path}", headers=root.headers)
            assert answer.status_code == 404


class Halting(JobBoard):
    """Stands still after each chunk until it may go on."""

    def __init__(self, redis: Redis, queues: Iterable[str]) -> None:
        super().__init__(redis, queues)
        self.halts = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def change(
        self, action: JobAction, keys: Sequence[str], *, among: Iterable[JobStatus]
    ) -> list[JobStatus | None]:
        before = await super().change(action, keys, among=among)
        self.halts.set()
        await self.may_go_on.wait()
        return before


class TestBulk:
    async def test_counts_in_a_dry_run_and_changes_nothing(
        self, client: AsyncClient, root: Person, resources: Resources
    ) -> None:
        for _ in range(3):
            await queue_job(resources)
        body = {"action": "cancel", "filter": {"queue": "low"}, "dry_run": True}
        answer = await client.post("/admin/jobs/bulk", headers=root.headers, json=body)
        assert answer.json()["data"] == {"matched": 3, "done": 0}
        assert await actions() == []
        answer = await client.post(
            "/admin/jobs/bulk", headers=root.headers, json=body | {"dry_run": False}
        )
        assert answer.json()["data"] == {"matched": 3, "done": 3}
        assert await actions() == [("job.bulk_cancelled", "job", "*")]
        (record,) = await AuditRecord.filter(action="job.bulk_cancelled")
        assert record.after == {"filter": {"queue": "low"}, "matched": 3}

    @pytest.mark.parametrize(
        "body",
        [
            {"action": "explode", "filter": {}},
            {"action": "retry"},
            {"action": "retry", "filter": {"status": "done"}},
            {"action": "retry", "filter": {"page": 1}},
            {"action": "retry", "filter": {}, "dry_run": 1},
        ],
    )
    async def test_refuses_what_makes_no_sense(
        self, client: AsyncClient, root: Person, body: dict[str, Any]
    ) -> None:
        answer = await client.post("/admin/jobs/bulk", headers=root.headers, json=body)
        assert answer.status_code == 400

    async def test_goes_on_as_a_task_when_it_takes_long(self, resources: Resources) -> None:
        redis = resources.queue_redis
        usecase = JobUsecase(
            redis,
            JobBoard(redis, ["low"]),
            queue=resources.jobs,
            audit=record_change,
            request_seconds=0,
        )
        for _ in range(CHUNK + 1):
            await queue_job(resources)
        done = await usecase.bulk(JobAction.DELETE, JobFilter(), SYSTEM, dry_run=False)
        assert done == (CHUNK + 1, CHUNK)
        found = await usecase.find(JobFilter(task="jobs:bulk"), page=1, per_page=1)
        rest = BulkRest.model_validate_json(json.dumps(found.jobs[0].payload))
        context = JobContext("k", "jobs:bulk", "low", 1, 3, None, "w")
        assert await finish_bulk(redis, resources.jobs, context, rest) == {"done": 1}
        left = await usecase.find(JobFilter(), page=1, per_page=1)
        assert left.total == 1  # itself

    async def test_goes_on_as_another_task_when_one_does_not_suffice(
        self, resources: Resources
    ) -> None:
        redis = resources.queue_redis
        board = JobBoard(redis, ["low"])
        for _ in range(CHUNK + 1):
            await queue_job(resources)
        rest = BulkRest(
            action=JobAction.DELETE,
            queues=("low",),
            status=None,
            task=None,
            until=await BulkActions(redis, board).now(),
        )
        context = JobContext("k", "jobs:bulk", "low", 1, 3, None, "w")
        done = await finish_bulk(redis, resources.jobs, context, rest, seconds=0)
        assert done == {"done": CHUNK}
        found = await board.find(JobFilter(task="jobs:bulk"), offset=0, limit=9)
        assert [BulkRest.model_validate_json(json.dumps(job.payload)) for job in found.jobs] == [
            rest
        ]

    async def test_of_jobs_by_their_keys_is_finished_also_when_nobody_waits_any_more(
        self, resources: Resources
    ) -> None:
        redis = resources.queue_redis
        board = Halting(redis, ["low"])
        usecase = JobUsecase(redis, board, queue=resources.jobs, audit=record_change)
        for _ in range(CHUNK + 1):
            await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing(), request_id="abc")
        chosen = JobFilter(q="abc")
        doing = asyncio.create_task(usecase.bulk(JobAction.DELETE, chosen, SYSTEM, dry_run=False))
        await board.halts.wait()
        doing.cancel()
        await asyncio.sleep(0)
        board.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await doing
        assert (await usecase.find(JobFilter(), page=1, per_page=1)).total == 0


class TestQueues:
    async def test_are_listed_paused_and_resumed(self, client: AsyncClient, root: Person) -> None:
        answer = (await client.get("/admin/queues", headers=root.headers)).json()
        assert [queue["name"] for queue in answer["data"]] == ["default", "low"]
        assert all(", ".join(queue) == QUEUE_FIELDS for queue in answer["data"])
        assert answer["meta"]["total"] == 2
        for act, paused in (("pause", True), ("resume", False)):
            answer = await client.post(f"/admin/queues/low/{act}", headers=root.headers)
            assert answer.json()["data"]["paused"] is paused
        assert await actions() == [
            ("queue.paused", "queue", "low"),
            ("queue.resumed", "queue", "low"),
        ]
        answer = await client.post("/admin/queues/nowhere/pause", headers=root.headers)
        assert answer.status_code == 404


class TestCrons:
    async def test_are_listed_run_paused_and_resumed(
        self, client: AsyncClient, root: Person
    ) -> None:
        listed = (await client.get("/admin/crons", headers=root.headers)).json()["data"]
        cron = next(one for one in listed if one["name"] == "cleanup-expired")
        assert ", ".join(cron) == CRON_FIELDS
        path = "/admin/crons/cleanup-expired"
        ran = (await client.post(f"{path}/run", headers=root.headers)).json()["data"]
        assert (ran["last_status"], ran["last_run_at"][-1]) == ("queued", "Z")
        for act, paused in (("pause", True), ("resume", False)):
            answer = await client.post(f"{path}/{act}", headers=root.headers)
            assert answer.json()["data"]["paused"] is paused
        assert [action for action, *_ in await actions()] == [
            "cron.run",
            "cron.paused",
            "cron.resumed",
        ]
        answer = await client.post("/admin/crons/never/run", headers=root.headers)
        assert answer.status_code == 404


class TestWorkers:
    async def test_are_listed(
        self, client: AsyncClient, root: Person, resources: Resources, features: Features
    ) -> None:
        stop = asyncio.Event()
        worker = Worker(resources.queue_redis, features.tasks, queues=["low"])
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run(stop))
            listed: list[dict[str, Any]] = []
            while not listed:
                await asyncio.sleep(0.02)
                answer = await client.get("/admin/workers", headers=root.headers)
                listed = answer.json()["data"]
            stop.set()
        assert ", ".join(listed[0]) == WORKER_FIELDS
        assert (listed[0]["id"], listed[0]["queues"]) == (worker.id, ["low"])


PATHS = ("/admin/queues", "/admin/jobs", "/admin/jobs/x", "/admin/crons", "/admin/workers")


class TestWhoMayAndWhen:
    async def test_they_are_for_administrators(self, client: AsyncClient, eve: Person) -> None:
        for path in PATHS:
            assert (await client.get(path, headers=eve.headers)).status_code == 403
            assert (await client.get(path)).status_code == 401


class TestWithoutRedis:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_they_refuse_and_say_when_to_come_back(
        self, client: AsyncClient, root: Person, own_valkey: Valkey
    ) -> None:
        own_valkey.kill()
        posts = ("/admin/queues/low/pause", "/admin/crons/cleanup-expired/run")
        for method, path in [("GET", path) for path in PATHS] + [("POST", path) for path in posts]:
            answer = await client.request(method, path, headers=root.headers)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        assert await actions() == []
