"""The task `notification:send`: each device once, whatever happens between."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from saq.job import Status

from myapp.database.device import Device, DevicePlatform, hash_token
from myapp.database.notification import Notification, PushRecord
from myapp.database.user import User
from myapp.enums import PushOutcome, UserStatus
from myapp.modules.notification.cleanup import NotificationCleanup
from myapp.modules.notification.pushing import PushUsecase
from myapp.modules.notification.recovery import RecoveryUsecase
from myapp.modules.notification.tasks import NOTIFICATION_SEND, SendPayload
from myapp.push.base import PushMessage, PushResult
from myapp.queue.records import JobStatus
from myapp.queue.scripts import Scripts
from myapp.queue.store import JobStore
from myapp.queue.tasks import JobContext, Nothing, Retry
from myapp.resources import Resources
from tests.modules.notification.conftest import FakePush

FAILED = PushResult(PushOutcome.FAILED, "away")
pytestmark = pytest.mark.usefixtures("resources")


@pytest.fixture
async def ada(resources: Resources) -> UUID:
    return (await User.create(identity_uid="ada", email="ada@example.com")).id  # type: ignore[no-any-return]  # Any in Tortoise


def job(key: str = "job", attempt: int = 1) -> JobContext:
    task = NOTIFICATION_SEND
    return JobContext(key, task.name, task.queue, attempt, task.attempts, None, "w")


async def add_devices(user_id: UUID, *tokens: str) -> None:
    for token in tokens:
        await Device.create(
            user_id=user_id,
            token=token,
            token_hash=hash_token(token),
            platform=DevicePlatform.IOS,
            last_seen_at=datetime.now(UTC),
        )


async def notify(user_id: UUID, *, age: timedelta = timedelta()) -> SendPayload:
    made = await Notification.create(
        user_id=user_id, title="t", body="b", data={"k": "v"}, created_at=datetime.now(UTC) - age
    )
    return SendPayload(notification_id=made.id)


class TestPush:
    async def test_reaches_every_device_of_the_user_and_no_other(
        self, ada: UUID, push: FakePush
    ) -> None:
        bob = await User.create(identity_uid="bob")
        await add_devices(ada, "a1", "a2")
        await add_devices(bob.id, "b1")
        payload = await notify(ada)
        await PushUsecase(push).handle(job(), payload)
        assert push.sent == [(payload.notification_id, "a1"), (payload.notification_id, "a2")]
        assert push.messages[0].data == {"k": "v"}
        assert (await Notification.get()).pushed_at is not None

    async def test_of_what_is_finished_or_gone_does_nothing(
        self, ada: UUID, push: FakePush
    ) -> None:
        await add_devices(ada, "a1")
        payload = await notify(ada)
        usecase = PushUsecase(push)
        for _ in range(2):
            await usecase.handle(job(), payload)
        await usecase.handle(job(), SendPayload(notification_id=uuid4()))
        assert len(push.sent) == 1

    async def test_goes_to_nobody_who_is_suspended(self, ada: UUID, push: FakePush) -> None:
        await add_devices(ada, "a1")
        payload = await notify(ada)
        await User.filter(id=ada).update(status=UserStatus.SUSPENDED)
        await PushUsecase(push).handle(job(), payload)
        assert push.sent == []

    async def test_goes_in_batches_of_500(self, ada: UUID, push: FakePush) -> None:
        now = datetime.now(UTC)
        await Device.bulk_create(
            Device(
                user_id=ada,
                token=f"t{n}",
                token_hash=hash_token(f"t{n}"),
                platform=DevicePlatform.WEB,
                last_seen_at=now,
            )
            for n in range(501)
        )
        await PushUsecase(push).handle(job(), await notify(ada))
        assert push.batches == [500, 1]

    async def test_removes_devices_whose_tokens_are_dead(self, ada: UUID, push: FakePush) -> None:
        await add_devices(ada, "dead", "alive", "refused")
        push.answers = {
            "dead": PushResult(PushOutcome.UNREGISTERED),
            "refused": PushResult(PushOutcome.REFUSED, "too large"),
        }
        await PushUsecase(push).handle(job(), await notify(ada))
        assert {device.token for device in await Device.all()} == {"alive", "refused"}
        assert await PushRecord.all().count() == 3
        assert (await Notification.get()).pushed_at is not None


class TestRetry:
    async def test_never_repeats_a_push_that_is_recorded(self, ada: UUID, push: FakePush) -> None:
        await add_devices(ada, "ok", "slow")
        payload = await notify(ada)
        push.answers = {"slow": FAILED}
        usecase = PushUsecase(push)
        with pytest.raises(Retry):
            await usecase.handle(job(), payload)
        assert (await Notification.get()).pushed_at is None
        push.answers = {}
        await usecase.handle(job(attempt=2), payload)
        assert [token for _, token in push.sent] == ["ok", "slow"]

    async def test_comes_no_sooner_than_the_service_asks(self, ada: UUID, push: FakePush) -> None:
        await add_devices(ada, "a1")
        push.answers = {"a1": PushResult(PushOutcome.FAILED, "quota", retry_after=77.0)}
        with pytest.raises(Retry) as retry:
            await PushUsecase(push).handle(job(), await notify(ada))
        assert retry.value.after == 77.0

    def test_outlasts_five_minutes_and_ends_within_fifteen(self) -> None:
        pauses = [NOTIFICATION_SEND.backoff.bounds(n) for n in range(1, NOTIFICATION_SEND.attempts)]
        shortest, longest = (sum(each) for each in zip(*pauses, strict=True))
        assert 5 * 60 < shortest < longest < 15 * 60

    async def test_the_rest_is_left_alone_once_the_service_asks_for_a_pause(
        self, ada: UUID, push: FakePush
    ) -> None:
        await add_devices(ada, *(f"t{n}" for n in range(3)))
        push.answers = {"t0": PushResult(PushOutcome.FAILED, "quota", retry_after=1.0)}
        with pytest.raises(Retry):
            await PushUsecase(push, batch=1).handle(job(), await notify(ada))
        assert push.batches == [1]


class TestDeath:
    async def test_between_push_and_record_repeats_that_batch_under_the_same_id(
        self, ada: UUID
    ) -> None:
        """The one repetition that there is: the id lets the device replace what it shows."""

        class Dying(FakePush):
            async def send(
                self, message: PushMessage, tokens: Sequence[str]
            ) -> Sequence[PushResult]:
                await super().send(message, tokens)
                raise asyncio.CancelledError

        await add_devices(ada, "a1")
        payload = await notify(ada)
        dying, push = Dying(), FakePush()
        with pytest.raises(asyncio.CancelledError):
            await PushUsecase(dying).handle(job(), payload)
        await PushUsecase(push).handle(job(), payload)
        assert dying.sent == push.sent == [(payload.notification_id, "a1")]

    async def test_after_the_record_repeats_nothing(self, ada: UUID, push: FakePush) -> None:
        await add_devices(ada, "a1")
        payload = await notify(ada)
        usecase = PushUsecase(push)
        await usecase.handle(job(), payload)
        await Notification.all().update(pushed_at=None)  # as if it had died just before
        await usecase.handle(job(), payload)
        assert len(push.sent) == 1

    async def test_lets_the_same_job_go_on_at_once_and_another_wait(
        self, ada: UUID, push: FakePush
    ) -> None:
        await add_devices(ada, "a1")
        payload = await notify(ada)
        now = datetime.now(UTC)
        await Notification.claim(
            payload.notification_id, job="first", at=now, until=now + timedelta(hours=1)
        )
        usecase = PushUsecase(push)
        with pytest.raises(Retry) as retry:
            await usecase.handle(job("second"), payload)
        assert 3000 < retry.value.after <= 3600  # sooner it would ask in vain
        assert push.sent == []
        await usecase.handle(job("first"), payload)
        assert len(push.sent) == 1


class TestRecovery:
    async def test_queues_what_never_finished_and_only_once(
        self, ada: UUID, resources: Resources
    ) -> None:
        overdue = await notify(ada, age=timedelta(minutes=20))
        await notify(ada)
        usecase = RecoveryUsecase(jobs=resources.jobs)
        for _ in range(2):
            await usecase.handle(job(), Nothing())
        key = f"notification:{overdue.notification_id}"
        assert (await resources.jobs.get(key)).status is JobStatus.QUEUED
        waiting: Any = resources.queue_redis.lrange("myapp:queue:default:waiting", 0, -1)
        assert await waiting == [key]

    async def test_leaves_a_push_to_its_job_for_as_long_as_the_service_asks(
        self, ada: UUID, push: FakePush, resources: Resources
    ) -> None:
        await add_devices(ada, "a1")
        payload = await notify(ada, age=timedelta(minutes=20))
        push.answers = {"a1": PushResult(PushOutcome.FAILED, "quota", retry_after=1800.0)}
        with pytest.raises(Retry):
            await PushUsecase(push).handle(job(), payload)
        usecase = RecoveryUsecase(jobs=resources.jobs)
        now = datetime.now(UTC)
        for minutes, found in ((10, 0), (30, 0), (35, 1)):
            later = await usecase.recover(now + timedelta(minutes=minutes))
            assert (minutes, later["pushes"]) == (minutes, found)
        push.answers = {}
        await PushUsecase(push).handle(job(attempt=2), payload)  # its own claim keeps out others
        assert len(push.sent) == 1

    async def test_of_what_failed_for_good_keeps_the_errors(
        self, ada: UUID, resources: Resources
    ) -> None:
        key = f"notification:{(await notify(ada, age=timedelta(minutes=20))).notification_id}"
        usecase = RecoveryUsecase(jobs=resources.jobs)
        store = JobStore(resources.queue_redis, "default")
        await Scripts(resources.queue_redis).call("join", "w", "default", "{}")
        for errors in (["one"], ["one", "two"]):
            await usecase.handle(job(), Nothing())
            _, [claimed] = await store.claim("w", known=0)
            await store.finish(claimed, Status.FAILED, error=errors[-1])
            await usecase.handle(job(), Nothing())
            queued = await resources.jobs.get(key)
            assert queued.status is JobStatus.QUEUED
            assert [each.error for each in queued.errors] == errors

    async def test_takes_those_first_that_were_not_tried_lately(
        self, ada: UUID, resources: Resources
    ) -> None:
        now = datetime.now(UTC)
        minutes = timedelta(minutes=1)
        for age in (40, 30, 20):
            await notify(ada, age=age * minutes)
        await Notification.all().update(updated_at=now - 20 * minutes)
        first, second, lost = await Notification.all().order_by("created_at")
        for tried in (first, second):
            claimed = await Notification.claim(
                tried.id, job="failed", at=now - 6 * minutes, until=now - 3 * minutes
            )
            assert claimed
        found = await RecoveryUsecase(jobs=resources.jobs, at_once=2).handle(job(), Nothing())
        assert found["pushes"] == 2
        assert (await resources.jobs.get(f"notification:{lost.id}")).status is JobStatus.QUEUED

    async def test_gives_up_after_a_day(self, ada: UUID, resources: Resources) -> None:
        await notify(ada, age=timedelta(hours=25))
        found = await RecoveryUsecase(jobs=resources.jobs).handle(job(), Nothing())
        assert found == {"given_up": 1, "pushes": 0, "broadcasts": 0}
        assert (await Notification.get()).pushed_at is not None


class TestCleanup:
    async def test_removes_what_is_old_with_its_records(self, ada: UUID, push: FakePush) -> None:
        await add_devices(ada, "a1")
        old = await notify(ada, age=timedelta(days=91))
        new = await notify(ada, age=timedelta(days=89))
        await PushUsecase(push).handle(job(), old)
        assert await NotificationCleanup().remove_notifications() == 1
        assert [each.id for each in await Notification.all()] == [new.notification_id]
        assert not await PushRecord.exists()

    async def test_goes_with_the_purge_of_the_user(self, ada: UUID) -> None:
        await add_devices(ada, "a1")
        await notify(ada)
        await User.filter(id=ada).delete()
        assert not await Notification.exists()
        assert not await Device.exists()
