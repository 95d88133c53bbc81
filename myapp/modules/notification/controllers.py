"""HTTP about notifications."""

from uuid import UUID

from quart import request
from quart_schema import document_headers

from myapp.binding import gives, gives_page, queries, refuses, takes
from myapp.errors import Conflict, Invalid, NotFound
from myapp.middleware.auth import actor, principal
from myapp.modules.notification.dtos import (
    AcceptedNotification,
    InboxQuery,
    NewNotification,
    NotificationResponse,
    ReadAllResponse,
    SendHeaders,
)
from myapp.modules.notification.idempotency import IdempotencyKey
from myapp.modules.notification.inbox import InboxUsecase
from myapp.modules.notification.sending import SendUsecase
from myapp.response import Page

HEADER = "Idempotency-Key"
KEY_CHARACTERS = 255


class NotificationController:
    def __init__(self, inbox: InboxUsecase, send: SendUsecase) -> None:
        self._inbox = inbox
        self._send = send

    @refuses(NotFound, Conflict)
    @document_headers(SendHeaders)
    @takes(NewNotification)
    @gives(AcceptedNotification, status=202)
    async def send_notification(self, new: NewNotification) -> AcceptedNotification:
        """Send a notification to one user, to some, or to all active ones.

        It is in the inbox and on the open streams at once, and on the devices soon after. A user
        that is unknown or not active is a 404, and nothing is sent. With an `Idempotency-Key` the
        same request gets the same answer for 24 hours; another body under it, or the same while
        the first is under way, is a 409.
        """
        return await self._send.send(new, key=idempotency_key("POST /notifications"))

    @queries(InboxQuery)
    @gives_page(NotificationResponse)
    async def list_notifications(self, query: InboxQuery) -> Page[NotificationResponse]:
        """Your notifications, the newest first."""
        found = await self._inbox.find(principal().user.id, query)
        return Page(
            items=[NotificationResponse.of(each) for each in found.rows],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
        )

    @gives(NotificationResponse)
    async def read_notification(self, notification_id: UUID) -> NotificationResponse:
        """Mark one of your notifications as read."""
        read = await self._inbox.read(principal().user.id, notification_id)
        return NotificationResponse.of(read)

    @gives(ReadAllResponse)
    async def read_all_notifications(self) -> ReadAllResponse:
        """Mark all of your notifications as read."""
        return ReadAllResponse(read=await self._inbox.read_all(principal().user.id))


def idempotency_key(route: str) -> IdempotencyKey | None:
    """The caller's key for this request, if there is one. Raises Invalid."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (1 <= len(key) <= KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise Invalid(f"{HEADER} is 1 to {KEY_CHARACTERS} printable ASCII characters")
    who = actor()
    return IdempotencyKey(caller=f"{who.type.value}:{who.id}", route=route, key=key)
