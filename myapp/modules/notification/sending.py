"""Sending notifications: accepted means it is in the inbox and will be pushed."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError

from myapp.database.notification import Broadcast
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.errors import NotFound
from myapp.modules.notification.creation import Content, put_into_inboxes
from myapp.modules.notification.dtos import AcceptedNotification, NewNotification
from myapp.modules.notification.idempotency import Attempt, IdempotencyKey, attempt
from myapp.modules.notification.tasks import NOTIFICATION_BROADCAST, BroadcastPayload
from myapp.modules.notification.validators import NOTIFICATION_RULES
from myapp.outbox.writing import Handover, Outbox

NO_SUCH_USER = "There is no such user, or it is not active; nothing was sent"

log = structlog.get_logger()


class SendUsecase:
    """Takes notifications from services and administrators. It does without Redis."""

    def __init__(self, *, outbox: Outbox) -> None:
        self._outbox = outbox

    async def send(
        self, new: NewNotification, *, key: IdempotencyKey | None = None
    ) -> AcceptedNotification:
        """Accepts a notification for all of its users, or for none.

        Raises Invalid, NotFound where a user is unknown or not active, and Conflict for a key
        that another request has, or one that is under way.
        """
        await NOTIFICATION_RULES.check(new)
        if key is None:
            return await self._send(new, None)
        async with attempt(key, new.model_dump_json()) as once:
            if once.replay is not None:
                return AcceptedNotification.model_validate(once.replay)
            return await self._send(new, once)

    async def _send(self, new: NewNotification, once: Attempt | None) -> AcceptedNotification:
        async with self._outbox.transaction() as handover:
            accepted = await (self._to_all if new.all else self._to_some)(new, handover)
            if once:
                await once.answer(accepted.model_dump(mode="json"))
        log.info("notification accepted", users=accepted.accepted)
        return accepted

    async def _to_some(self, new: NewNotification, handover: Handover) -> AcceptedNotification:
        user_ids = new.addressees
        await check_active(user_ids)
        content = Content(new.title, new.body, new.data)
        try:
            # By their ids: so are users locked everywhere, and an insert locks whom it is for.
            made = await put_into_inboxes(content, sorted(user_ids), handover)
        except IntegrityError:
            raise NotFound(NO_SUCH_USER) from None  # one was joined to another meanwhile
        ids = {each.user_id: each.id for each in made}
        return AcceptedNotification(ids=[ids[user_id] for user_id in user_ids], accepted=len(made))

    async def _to_all(self, new: NewNotification, handover: Handover) -> AcceptedNotification:
        broadcast = await Broadcast.create(title=new.title, body=new.body, data=new.data)
        handover.queue(NOTIFICATION_BROADCAST, BroadcastPayload(broadcast_id=broadcast.id))
        return AcceptedNotification(accepted=await User.filter(status=UserStatus.ACTIVE).count())


async def check_active(user_ids: Sequence[UUID]) -> None:
    """Raises NotFound unless there are all of these, and active."""
    active = await User.filter(id__in=user_ids, status=UserStatus.ACTIVE).count()
    if active != len(user_ids):
        raise NotFound(NO_SUCH_USER)
