"""Putting notifications into inboxes, with the event and the push that belong to them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from myapp.database.notification import Notification
from myapp.events import Event, NotificationCreated
from myapp.modules.notification.tasks import NOTIFICATION_SEND, SendPayload
from myapp.outbox.writing import Handover

INSERTED_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Content:
    """What a notification says."""

    title: str
    body: str
    data: Mapping[str, str]


async def put_into_inboxes(
    content: Content, user_ids: Iterable[UUID], handover: Handover
) -> list[Notification]:
    """One notification for each user, inside the handover's transaction."""
    now = datetime.now(UTC)
    made = [
        Notification(
            user_id=user_id,
            title=content.title,
            body=content.body,
            data=dict(content.data),
            created_at=now,
        )
        for user_id in user_ids
    ]
    await Notification.bulk_create(made, batch_size=INSERTED_AT_ONCE)
    for notification in made:
        hand_on(notification, handover)
    return made


def hand_on(notification: Notification, handover: Handover) -> None:
    user_id = notification.user_id
    handover.tell(Event.of(NotificationCreated.model_validate(notification), user_id=user_id))
    payload = SendPayload(notification_id=notification.id, user_id=user_id)
    handover.queue(NOTIFICATION_SEND, payload, user_id=user_id)
