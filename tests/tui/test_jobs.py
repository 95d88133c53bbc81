"""The view of queues and jobs."""

import asyncio
from functools import partial
from typing import Any, cast
from uuid import uuid4

import pytest
from textual.widgets import Tab, Tabs

from myapp.cleanup import CLEANUP_EXPIRED
from myapp.database.user import User
from myapp.errors import NotFound
from myapp.modules.job import JobModule
from myapp.modules.notification.tasks import NOTIFICATION_SEND, SendPayload
from myapp.queue.admin import JobFilter
from myapp.queue.records import JobStatus
from myapp.queue.scripts import Scripts
from myapp.queue.store import JobStore
from myapp.queue.tasks import Nothing
from myapp.registry import Features
from myapp.resources import Resources
from myapp.tui.views.jobs import JobsView
from myapp.tui.views.queues import QueuesPane
from tests.tui.conftest import Operator, Sit, audited, drawn

SEVERAL = 4


async def queue_job(resources: Resources, key: str, **options: Any) -> str:
    return await resources.jobs.enqueue(CLEANUP_EXPIRED, Nothing(), key=key, **options)


async def status_of(resources: Resources, key: str) -> JobStatus:
    return (await resources.jobs.get(key)).status


def view_of(operator: Operator) -> JobsView:
    return cast("JobsView", operator.app.view)


def keys(operator: Operator) -> list[str]:
    return [job.key for job in view_of(operator).rows_in_memory()]


class TestList:
    async def test_shows_the_jobs_and_how_many_there_are(
        self, sit: Sit, resources: Resources
    ) -> None:
        for number in range(SEVERAL):
            await queue_job(resources, f"job-{number}")
        async with sit() as operator:
            await operator.until(lambda: len(keys(operator)) == SEVERAL)
            assert operator.status == f"{SEVERAL} jobs"

    async def test_takes_the_filter_of_the_api(self, sit: Sit, resources: Resources) -> None:
        await queue_job(resources, "one", request_id="abc")
        await queue_job(resources, "two")
        async with sit() as operator:
            for typed, found in (
                ("abc", "one"),
                ("queue:default", ""),
                ("queue:low two", "two"),
            ):
                await operator.filter(typed)
                await operator.until(partial(shows, operator, found))
                assert f"filter: {typed}" in operator.status

    async def test_says_what_is_wrong_with_a_filter(self, sit: Sit) -> None:
        async with sit() as operator:
            await operator.filter("status:odd")
            await operator.until(lambda: "There is no status 'odd'" in operator.status)

    async def test_goes_from_status_to_status(self, sit: Sit, resources: Resources) -> None:
        await queue_job(resources, "now")
        await queue_job(resources, "later", delay=600)
        async with sit() as operator:
            await operator.press("right")
            await operator.until(lambda: keys(operator) == ["later"])
            assert view_of(operator).query_one("#statuses", Tabs).active == "scheduled"
            await operator.press("right")
            await operator.until(lambda: keys(operator) == ["now"])

    async def test_counts_by_status_what_is_filtered_or_nothing(
        self, sit: Sit, resources: Resources
    ) -> None:
        for key in ("one", "two"):
            await queue_job(resources, key)
        async with sit() as operator:
            for typed, shown in (
                ("", "queued 2"),
                ("queue:default", "queued"),
                ("queue:low status:queued", "queued 2"),
                ("queue:low one", "queued"),
                ("status:queued", "queued 2"),
                ("task:cleanup:expired", "queued"),
            ):
                await operator.filter(typed)
                await operator.until(partial(counts, operator, shown))


class TestDetail:
    async def test_shows_everything_and_goes_back(self, sit: Sit, resources: Resources) -> None:
        await queue_job(resources, "one", request_id="abc")
        async with sit() as operator:
            await operator.until(lambda: keys(operator))
            await operator.press("enter")
            await operator.until(lambda: "abc" in drawn(operator.app.view))
            await operator.press("escape")
            await operator.until(lambda: view_of(operator).opened is None)

    async def test_of_a_job_that_goes_away_closes(self, sit: Sit, resources: Resources) -> None:
        await queue_job(resources, "one")
        async with sit() as operator:
            await operator.until(lambda: keys(operator))
            await operator.press("enter")
            await operator.until(lambda: view_of(operator).opened)
            await resources.queue_redis.flushall()
            await operator.until(lambda: view_of(operator).opened is None)
            assert "There is no job 'one'" in operator.notices


class TestActions:
    async def test_on_one_job_name_it_and_leave_a_record_each(
        self, sit: Sit, resources: Resources
    ) -> None:
        await queue_job(resources, "one")
        async with sit() as operator:
            await operator.until(lambda: keys(operator))
            for key, verb, said, statuses in (
                ("x", "Cancel", "is cancelled", [JobStatus.CANCELLED]),
                ("R", "Retry", "is queued again", [JobStatus.QUEUED]),
                ("D", "Delete", "is deleted", []),
            ):
                await operator.press(key)
                question = await operator.question()
                assert question.startswith(f"{verb} job one (cleanup:expired, ")
                assert said in await operator.confirm()
                await operator.until(partial(have, operator, statuses))
        done = ("job.cancelled", "job.retried", "job.deleted")
        assert await audited() == [("tui", "ada", action, "one") for action in done]

    async def test_do_nothing_without_a_yes(self, sit: Sit, resources: Resources) -> None:
        await queue_job(resources, "one")
        async with sit() as operator:
            await operator.until(lambda: keys(operator))
            await operator.press("x")
            await operator.question()
            await operator.press("enter")  # the answer that has the focus
            await operator.until(lambda: len(operator.app.screen_stack) == 1)
        assert await status_of(resources, "one") is JobStatus.QUEUED
        assert await audited() == []

    async def test_that_do_not_apply_say_so(self, sit: Sit, resources: Resources) -> None:
        await queue_job(resources, "one")
        async with sit() as operator:
            await operator.until(lambda: keys(operator))
            await operator.press("R")
            await operator.until(lambda: operator.notices)
            assert operator.notices[-1].startswith("Retry does not apply to job one")

    async def test_on_marked_jobs_change_those_alone(self, sit: Sit, resources: Resources) -> None:
        for number in range(SEVERAL):
            await queue_job(resources, f"job-{number}")
        async with sit() as operator:
            await operator.until(lambda: len(keys(operator)) == SEVERAL)
            marked = keys(operator)[:2]
            await operator.press("space", "space", "x")
            assert (await operator.question()).startswith("Cancel the 2 marked jobs?")
            assert await operator.confirm() == "2 of 2 jobs: each is cancelled"
        for number in range(SEVERAL):
            cancelled = await status_of(resources, f"job-{number}") is JobStatus.CANCELLED
            assert cancelled == (f"job-{number}" in marked)

    async def test_on_all_that_match_count_them_first(
        self, sit: Sit, resources: Resources, features: Features
    ) -> None:
        for number in range(SEVERAL):
            await queue_job(resources, f"job-{number}")
        await queue_job(resources, "other", request_id="abc")
        async with sit() as operator:
            await operator.filter("job-")
            await operator.press("asterisk", "D")
            question = await operator.question()
            assert question.startswith(f"Delete all {SEVERAL} jobs that it applies to, of those")
            assert await operator.confirm() == f"{SEVERAL} jobs: each is deleted"
        left = await features.get(JobModule).jobs.find(JobFilter(), page=1, per_page=10)
        assert [job.key for job in left.jobs] == ["other"]
        assert await audited() == [("tui", "ada", "job.bulk_deleted", "*")]

    async def test_on_all_that_match_are_for_those_that_were_counted(
        self, sit: Sit, resources: Resources
    ) -> None:
        await queue_job(resources, "early")
        await resources.jobs.cancel("early")
        async with sit() as operator:
            await operator.filter("status:cancelled")
            await operator.press("asterisk", "D")
            assert (await operator.question()).startswith("Delete all 1 job ")
            await asyncio.sleep(0.01)  # times are kept in milliseconds
            await queue_job(resources, "late")
            await resources.jobs.cancel("late")
            assert await operator.confirm() == "1 job: each is deleted"
        assert await status_of(resources, "late") is JobStatus.CANCELLED
        with pytest.raises(NotFound):
            await status_of(resources, "early")

    async def test_on_all_that_match_say_which_had_changed_meanwhile(
        self, sit: Sit, resources: Resources, features: Features
    ) -> None:
        for number in range(SEVERAL):
            await queue_job(resources, f"job-{number}")
        async with sit() as operator:
            await operator.filter("status:queued")
            await operator.press("asterisk", "x")
            assert (await operator.question()).startswith(f"Cancel all {SEVERAL} jobs")
            await Scripts(resources.queue_redis).call("join", "w", "low", "{}")
            store = JobStore(resources.queue_redis, "low")
            assert len((await store.claim("w", known=0, limit=1))[1]) == 1
            said = f"{SEVERAL - 1} jobs: each is cancelled; the other 1 had changed meanwhile"
            assert await operator.confirm() == said
        tasks = await features.get(JobModule).jobs.find(
            JobFilter(task="jobs:bulk"), page=1, per_page=1
        )
        assert tasks.total == 0

    async def test_are_forbidden_while_reading_only(self, sit: Sit, resources: Resources) -> None:
        await queue_job(resources, "one")
        async with sit(readonly=True) as operator:
            await operator.until(lambda: keys(operator))
            for number, key in enumerate(("x", "D", "p"), 1):
                await operator.press(key)
                await operator.until(partial(operator.has_notices, number))
            assert {"--readonly" in notice for notice in operator.notices} == {True}
            await operator.press("asterisk", "D")
            await operator.until(lambda: len(operator.notices) > number)
        assert await status_of(resources, "one") is JobStatus.QUEUED
        assert await audited() == []


class TestQueues:
    async def test_are_paused_and_resumed(self, sit: Sit, resources: Resources) -> None:
        async with sit() as operator:
            queues = view_of(operator).query_one(QueuesPane)
            for verb, paused in (("Pause", {"default"}), ("Resume", set())):
                await operator.until(partial(is_paused, queues, verb == "Resume"))
                await operator.press("p")
                assert (await operator.question()).startswith(f"{verb} queue default?")
                await operator.confirm()
                assert await resources.jobs.paused() == paused
        done = ("queue.paused", "queue.resumed")
        assert await audited() == [("tui", "ada", action, "default") for action in done]

    async def test_lead_to_their_jobs(self, sit: Sit, resources: Resources) -> None:
        await queue_job(resources, "one")
        async with sit() as operator:
            queues = view_of(operator).query_one(QueuesPane)
            await operator.until(queues.rows_in_memory)
            queues.table.focus()
            await operator.press("space")
            await operator.until(lambda: queues.selection)
            await operator.press("enter")
            await operator.until(lambda: operator.status == "1 job · filter: queue:low")
            await operator.press("escape", "escape")
            await operator.until(lambda: operator.status == "1 job")
            assert not queues.selection


class TestLinks:
    async def test_lead_to_the_jobs_of_the_same_request_and_back(
        self, sit: Sit, resources: Resources
    ) -> None:
        for key in ("one", "two"):
            await queue_job(resources, key, request_id="abc")
        await asyncio.sleep(0.01)  # times are kept in milliseconds
        await queue_job(resources, "else")
        async with sit() as operator:
            await operator.until(lambda: keys(operator)[:1] == ["else"])
            await operator.press("o")
            await operator.until(lambda: operator.notices)
            await operator.press("j", "o")
            await operator.until(lambda: operator.status == "2 jobs · filter: abc")
            await operator.press("escape")
            await operator.until(lambda: operator.status == "3 jobs")

    async def test_lead_from_a_push_to_its_user_and_from_there_to_all_jobs_for_them(
        self, sit: Sit, resources: Resources
    ) -> None:
        ada = await User.create(email="ada@example.com", email_key="ada@example.com")
        await queue_job(resources, "else")
        payload = SendPayload(notification_id=uuid4(), user_id=ada.id)
        await resources.jobs.enqueue(NOTIFICATION_SEND, payload, key="push")
        async with sit() as operator:
            await operator.until(lambda: len(keys(operator)) == 2)
            await operator.filter("push")
            await operator.until(lambda: keys(operator) == ["push"])
            await operator.press("u")
            await operator.until(lambda: operator.status == f"1 user · filter: {ada.id}")
            await operator.press("o")
            await operator.until(lambda: operator.status == f"1 job · filter: {ada.id}")


def counts(operator: Operator, shown: str) -> bool:
    """Whether the tab of queued jobs says this."""
    return view_of(operator).query_one("#statuses Tab#queued", Tab).label_text == shown


def have(operator: Operator, statuses: list[JobStatus]) -> bool:
    """Whether the list shows jobs of these."""
    return [job.status for job in view_of(operator).rows_in_memory()] == statuses


def is_paused(queues: QueuesPane, paused: bool) -> bool:
    """Whether the list shows its first queue so."""
    row = queues.current
    return row is not None and row.paused == paused


def shows(operator: Operator, key: str) -> bool:
    """Whether this job is the only one, or there is none."""
    return keys(operator) == ([key] if key else [])
