"""The tasks of notifications, by names that never change."""

from uuid import UUID

from myapp.backoff import Backoff
from myapp.queue.tasks import Cron, Nothing, Payload, Task


class SendPayload(Payload):
    """Which notification to push. Whose it is, is for operators who look for a user's jobs."""

    notification_id: UUID
    user_id: UUID | None = None  # jobs of earlier releases do not say it


class BroadcastPayload(Payload):
    """Which broadcast to go on with."""

    broadcast_id: UUID


NOTIFICATION_SEND = Task(
    "notification:send",
    SendPayload,
    timeout=120,  # some batches of 500, each with a few seconds for the service
    attempts=10,  # over some 7 to 14 minutes; what fails then, the recovery queues again
    backoff=Backoff(base=2.0, cap=300.0),
)
NOTIFICATION_BROADCAST = Task("notification:broadcast", BroadcastPayload, queue="low", attempts=10)
NOTIFICATION_RECOVER = Task("notification:recover", Nothing, queue="low", attempts=3)


def recovery_cron() -> Cron[Nothing]:
    return Cron("notification-recover", NOTIFICATION_RECOVER, "*/5 * * * *", Nothing())
