"""Notifications: the inbox, and pushes to devices."""

from dataclasses import dataclass

from myapp.module import Module
from myapp.modules.notification.broadcast import BroadcastUsecase
from myapp.modules.notification.cleanup import NotificationCleanup
from myapp.modules.notification.inbox import InboxUsecase
from myapp.modules.notification.pushing import PushUsecase
from myapp.modules.notification.recovery import RecoveryUsecase
from myapp.modules.notification.sending import SendUsecase
from myapp.modules.notification.tasks import (
    NOTIFICATION_BROADCAST,
    NOTIFICATION_RECOVER,
    NOTIFICATION_SEND,
    recovery_cron,
)
from myapp.resources import Resources


@dataclass(frozen=True, kw_only=True)
class NotificationModule(Module):
    inbox: InboxUsecase
    send: SendUsecase


def init(resources: Resources) -> NotificationModule:
    """Builds the usecases of notifications."""
    outbox = resources.outbox
    push = PushUsecase(resources.push)
    broadcast = BroadcastUsecase(outbox=outbox)
    recovery = RecoveryUsecase(jobs=resources.jobs)
    cleanup = NotificationCleanup()
    return NotificationModule(
        inbox=InboxUsecase(outbox=outbox),
        send=SendUsecase(outbox=outbox),
        tasks=(
            (NOTIFICATION_SEND, push.handle),
            (NOTIFICATION_BROADCAST, broadcast.handle),
            (NOTIFICATION_RECOVER, recovery.handle),
        ),
        crons=(recovery_cron(),),
        cleanups={
            "notifications": cleanup.remove_notifications,
            "push_records": cleanup.remove_push_records,
            "broadcasts": cleanup.remove_broadcasts,
            "idempotency_keys": cleanup.remove_requests,
        },
    )
