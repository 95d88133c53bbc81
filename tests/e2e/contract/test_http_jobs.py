"""Section 4: queues, jobs, crons and workers; section 6 as far as it shows from outside.

What takes long is tried closer to it: retries, back-off and rescue within 30 s in tests/queue,
kept jobs in tests/queue/test_store.py, two schedulers in tests/queue/test_scheduler.py, the outbox
in tests/outbox and tests/e2e/test_outbox.py, and all of it under fire by `make drill`.
"""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.outside import Outside, data_of, refused, wait_until

pytestmark = pytest.mark.xdist_group("contract")

QUEUE = {
    *("name", "paused", "scheduled", "queued", "active", "complete", "failed", "cancelled"),
    *("latency_seconds", "processed_per_minute", "failed_per_minute"),
}
JOB = {
    *("key", "task", "queue", "status", "payload", "attempts", "max_attempts", "errors", "result"),
    *("request_id", "worker", "enqueued_at", "scheduled_at", "started_at", "finished_at"),
}
CRON = {"name", "task", "schedule", "paused", "next_run_at", "last_run_at", "last_status"}
WORKER = {
    *("id", "role", "host", "pid", "version", "queues", "concurrency", "active", "started_at"),
    "memory_mb",
}
PAUSE_SECONDS = 3.0  # after 2 nothing new is started; the machine may be busy


def admin(service: Outside, method: str, path: str, **options: Any) -> httpx.Response:
    return service.api.request(method, f"/admin/{path}", headers=service.root.headers, **options)


def enqueue(service: Outside, task: str = "cleanup:expired", payload: str = "{}") -> str:
    done = service.run("enqueue", task, "--payload", payload)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def job_of(service: Outside, key: str) -> Any:
    return data_of(admin(service, "GET", f"jobs/{key}"))


def jobs_by(service: Outside, **params: Any) -> list[str]:
    return [job["key"] for job in data_of(admin(service, "GET", "jobs", params=params))]


@pytest.fixture
def paused(service: Outside) -> Iterator[None]:
    """The queue `low` starts nothing."""
    data_of(admin(service, "POST", "queues/low/pause"))
    time.sleep(PAUSE_SECONDS)
    yield
    data_of(admin(service, "POST", "queues/low/resume"))


def sent(service: Outside) -> str:
    """The request id of a notification, whose job has it too."""
    request_id = uuid4().hex
    headers = service.root.headers | {"X-Request-ID": request_id}
    body = {"user_id": service.root.id, "title": "t", "body": "b"}
    data_of(service.api.post("/notifications", headers=headers, json=body), 202)
    wait_until(lambda: jobs_by(service, q=request_id, status="complete"))
    return request_id


class TestQueues:
    def test_are_listed(self, service: Outside) -> None:
        queues = data_of(admin(service, "GET", "queues"))
        assert [set(queue) for queue in queues] == [QUEUE, QUEUE]
        assert [queue["name"] for queue in queues] == ["default", "low"]

    def test_that_are_unknown_are_a_404(self, service: Outside) -> None:
        assert refused(admin(service, "POST", "queues/none/pause")) == (404, "not_found")

    def test_that_are_paused_start_nothing_new(self, service: Outside, paused: None) -> None:
        key = enqueue(service)
        time.sleep(1)
        assert job_of(service, key)["status"] == "queued"
        low = data_of(admin(service, "GET", "queues"))[1]
        assert (low["paused"], low["queued"] >= 1, low["latency_seconds"] > 0) == (True, True, True)
        resumed = data_of(admin(service, "POST", "queues/low/resume"))
        assert resumed["paused"] is False
        wait_until(lambda: job_of(service, key)["status"] == "complete")
        assert service.audit("queue.paused", "low")["after"] == {"paused": True}
        assert service.audit("queue.resumed", "low")["after"] == {"paused": False}


class TestJobs:
    def test_show_all_there_is_to_know(self, service: Outside) -> None:
        (key,) = jobs_by(service, q=sent(service))
        job = job_of(service, key)
        assert set(job) == JOB
        assert (job["task"], job["queue"]) == ("notification:send", "default")
        assert (job["status"], job["attempts"], job["errors"]) == ("complete", 1, [])
        workers = data_of(admin(service, "GET", "workers"))
        assert job["worker"] in [worker["id"] for worker in workers]
        assert refused(admin(service, "GET", "jobs/none")) == (404, "not_found")

    def test_are_found(self, service: Outside) -> None:
        request_id = sent(service)
        (key,) = jobs_by(service, q=request_id)
        for params in (
            {"q": key},
            {"q": request_id, "queue": "default", "task": "notification:send"},
            {"q": job_of(service, key)["payload"]["notification_id"][4:]},
        ):
            assert jobs_by(service, **params) == [key], params
        assert key in jobs_by(service, q=job_of(service, key)["payload"]["user_id"])
        for params in (
            {"q": request_id, "queue": "low"},
            {"q": request_id, "status": "failed"},
            {"q": request_id, "task": "sync:data"},
        ):
            assert jobs_by(service, **params) == [], params
        odd = admin(service, "GET", "jobs", params={"status": "odd"})
        assert refused(odd) == (400, "invalid_request")

    def test_are_cancelled_retried_and_deleted(self, service: Outside, paused: None) -> None:
        key = enqueue(service)
        path = f"jobs/{key}"
        assert refused(admin(service, "POST", f"{path}/retry")) == (409, "conflict")
        assert data_of(admin(service, "POST", f"{path}/cancel"))["status"] == "cancelled"
        assert refused(admin(service, "POST", f"{path}/cancel")) == (409, "conflict")
        assert data_of(admin(service, "POST", f"{path}/retry"))["status"] == "queued"
        assert data_of(admin(service, "DELETE", path)) is None
        assert refused(admin(service, "GET", path)) == (404, "not_found")
        for action in ("enqueued", "cancelled", "retried", "deleted"):
            assert service.audit(f"job.{action}", key)["target_type"] == "job"

    def test_queued_by_a_command_leave_a_record(self, service: Outside) -> None:
        key = enqueue(service, "sync:data")
        record = service.audit("job.enqueued", key)
        assert (record["actor_type"], record["after"]) == ("cli", {"task": "sync:data"})
        wait_until(lambda: job_of(service, key)["status"] == "complete")  # others count such jobs

    def test_in_bulk_are_those_that_match(self, service: Outside, paused: None) -> None:
        keys = {enqueue(service, "sync:data") for _ in range(2)}
        other = enqueue(service)
        body = {"action": "cancel", "filter": {"task": "sync:data", "status": "queued"}}
        dry = admin(service, "POST", "jobs/bulk", json=body | {"dry_run": True})
        assert data_of(dry) == {"matched": 2, "done": 0}
        done = admin(service, "POST", "jobs/bulk", json=body | {"dry_run": False})
        assert data_of(done) == {"matched": 2, "done": 2}
        assert {job_of(service, key)["status"] for key in keys} == {"cancelled"}
        assert job_of(service, other)["status"] == "queued"
        assert service.audit("job.bulk_cancelled", "*")["after"]["matched"] == 2
        for bad in (
            {"action": "run", "filter": {}},
            {"action": "retry"},
            body | {"filter": {"page": 1}},
        ):
            assert refused(admin(service, "POST", "jobs/bulk", json=bad)) == (
                400,
                "invalid_request",
            )


class TestCrons:
    def test_are_those_of_the_contract(self, service: Outside) -> None:
        crons = {cron["name"]: cron for cron in data_of(admin(service, "GET", "crons"))}
        assert {frozenset(cron) for cron in crons.values()} == {frozenset(CRON)}
        schedules = {cron["task"]: cron["schedule"] for cron in crons.values()}
        assert schedules["sync:data"] == "0 3 * * *"
        assert schedules["cleanup:expired"] == "0 * * * *"
        assert crons["sync-data"]["next_run_at"].endswith("T03:00:00Z")

    def test_are_paused_and_resumed(self, service: Outside) -> None:
        for action, state in (("pause", True), ("resume", False)):
            cron = data_of(admin(service, "POST", f"crons/sync-data/{action}"))
            assert cron["paused"] is state
            assert service.audit(f"cron.{action}d", "sync-data")["after"] == {"paused": state}

    def test_run_now(self, service: Outside) -> None:
        before = set(jobs_by(service, task="sync:data", per_page=100))
        cron = data_of(admin(service, "POST", "crons/sync-data/run"))
        assert cron["last_run_at"]
        (key,) = set(jobs_by(service, task="sync:data", per_page=100)) - before
        wait_until(lambda: job_of(service, key)["status"] == "complete")
        assert service.audit("cron.run", "sync-data")["actor_id"] == service.root.id
        assert refused(admin(service, "POST", "crons/none/run")) == (404, "not_found")


def test_workers(service: Outside) -> None:
    (worker,) = data_of(admin(service, "GET", "workers"))
    assert set(worker) == WORKER
    assert worker["pid"] == service.program.process.pid
    assert (worker["queues"], worker["concurrency"]) == (["default", "low"], 10)


class TestTasks:
    @pytest.mark.parametrize(
        ("task", "queue"),
        [("notification:send", "default"), ("sync:data", "low"), ("cleanup:expired", "low")],
    )
    def test_of_the_contract_have_their_queue(
        self, service: Outside, task: str, queue: str
    ) -> None:
        payload = '{"notification_id": "0198aaaa-0000-7000-8000-000000000000"}'
        key = enqueue(service, task, payload if task == "notification:send" else "{}")
        assert job_of(service, key)["queue"] == queue
        job = wait_until(lambda: (found := job_of(service, key))["status"] == "complete" and found)
        assert job["attempts"] == 1

    @pytest.mark.parametrize(
        ("task", "payload"),
        [("no:task", "{}"), ("notification:send", "{}"), ("sync:data", '{"more": 1}')],
    )
    def test_are_validated_where_they_are_queued(
        self, service: Outside, task: str, payload: str
    ) -> None:
        done = service.run("enqueue", task, "--payload", payload)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
