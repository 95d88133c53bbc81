"""Pushing a notification to all devices of its user: the task `notification:send`."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from myapp.database.connection import transaction
from myapp.database.device import Device
from myapp.database.notification import ERROR_CHARACTERS, Notification, PushRecord
from myapp.database.user import User
from myapp.enums import PushOutcome, UserStatus
from myapp.modules.notification.tasks import NOTIFICATION_SEND, SendPayload
from myapp.push.base import MAX_BATCH, PushMessage, PushProvider, PushResult
from myapp.queue.tasks import JobContext, Retry

# A job that is cancelled at its timeout has surely ended after this.
CLAIM = timedelta(seconds=NOTIFICATION_SEND.timeout + 30)
CLAIM_PAUSE_SECONDS = 30.0  # at least
LONGEST_RETRY_SECONDS = 3600.0  # whatever the service asks for

log = structlog.get_logger()


class PushUsecase:
    """Pushes, and records each device's outcome, so that nothing recorded is pushed again."""

    def __init__(self, provider: PushProvider, *, batch: int = MAX_BATCH) -> None:
        self._provider = provider
        self._batch = batch

    async def handle(self, job: JobContext, payload: SendPayload) -> dict[str, int]:
        """The handler of `notification:send`; raises Retry while devices are left to try."""
        now = datetime.now(UTC)
        claimed = await Notification.claim(
            payload.notification_id, job=job.key, at=now, until=now + CLAIM
        )
        notification = await Notification.get_or_none(id=payload.notification_id)
        if notification is None or notification.pushed_at is not None:
            return {"devices": 0}
        if not claimed:
            raise Retry("another job pushes it", after=time_left(notification, now))
        try:
            return await self._push(notification, job.attempt)
        except Retry as retry:
            await keep_claim(notification, job, retry.after)
            raise

    async def _push(self, notification: Notification, attempt: int) -> dict[str, int]:
        message = PushMessage(
            notification.id, notification.title, notification.body, notification.data
        )
        counts = Counter[str]()
        devices = await devices_left(notification)
        for start in range(0, len(devices), self._batch):
            batch = devices[start : start + self._batch]
            results = await self._provider.send(message, [device.token for device in batch])
            await record(notification.id, batch, results)
            counts.update(result.outcome.value for result in results)
            if pause := max(result.retry_after or 0.0 for result in results):
                raise put_off("the push service asks for a pause", pause, attempt)
        if failed := counts[PushOutcome.FAILED]:
            raise put_off(f"{failed} devices could not be reached", 0.0, attempt)
        await Notification.finish(notification.id, at=datetime.now(UTC))
        return {"devices": len(devices), **counts}


async def keep_claim(notification: Notification, job: JobContext, after: float) -> None:
    """Keeps others out until this job comes again, in `after` seconds: they know of no pause."""
    now = datetime.now(UTC)
    until = now + timedelta(seconds=after) + CLAIM
    await Notification.claim(notification.id, job=job.key, at=now, until=until)


def time_left(notification: Notification, now: datetime) -> float:
    """For how many seconds another job has it: asking sooner only uses up attempts."""
    left = (notification.push_until or now) - now
    return max(left.total_seconds(), CLAIM_PAUSE_SECONDS)


def put_off(reason: str, pause: float, attempt: int) -> Retry:
    """Not before the service wants it, nor before the task's own policy has it."""
    own = NOTIFICATION_SEND.backoff.delay(attempt)
    return Retry(reason, after=min(max(pause, own), LONGEST_RETRY_SECONDS))


async def devices_left(notification: Notification) -> list[Device]:
    """The devices that have no outcome yet; none of a user who is not active."""
    user_id = notification.user_id
    if not await User.exists(id=user_id, status=UserStatus.ACTIVE):
        return []
    done = set(
        await PushRecord.filter(notification_id=notification.id).values_list("device_id", flat=True)
    )
    return [device for device in await Device.of(user_id).order_by("id") if device.id not in done]


async def record(
    notification_id: UUID, devices: Sequence[Device], results: Sequence[PushResult]
) -> None:
    """Keeps what is final, and removes the devices whose tokens are dead."""
    final = [
        (device, result)
        for device, result in zip(devices, results, strict=True)
        if result.outcome is not PushOutcome.FAILED
    ]
    dead = [each.id for each, result in final if result.outcome is PushOutcome.UNREGISTERED]
    async with transaction():
        await PushRecord.bulk_create(
            [
                PushRecord(
                    notification_id=notification_id,
                    device_id=device.id,
                    outcome=result.outcome,
                    error=result.error and result.error[:ERROR_CHARACTERS],
                )
                for device, result in final
            ]
        )
        if dead:
            await Device.filter(id__in=dead).delete()
            log.info("dead tokens removed", devices=len(dead))
