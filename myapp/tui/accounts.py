"""One account with all that it has, for an operator."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from rich.console import Group, RenderableType
from rich.text import Text

from myapp.database.audit import AuditRecord
from myapp.database.device import Device
from myapp.database.file import File
from myapp.database.notification import Notification
from myapp.database.paging import Rows
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.modules.audit import AuditModule
from myapp.modules.audit.dtos import AuditQuery
from myapp.modules.device import DeviceModule
from myapp.modules.file import FileModule
from myapp.modules.notification import NotificationModule
from myapp.modules.notification.dtos import InboxQuery
from myapp.paging import PageQuery
from myapp.registry import Features
from myapp.tui.views.audit import newest_records
from myapp.tui.wording import Cell, ago, count, facts, listing, moment, section

SHOWN = 5  # of each kind of what somebody has
STATUS_STYLES = {UserStatus.ACTIVE: "", UserStatus.SUSPENDED: "yellow", UserStatus.DELETED: "red"}


@dataclass(frozen=True, slots=True)
class Belongings:
    """The first few of each, and how many there are."""

    devices: Rows[Device]
    notifications: Rows[Notification]
    files: Rows[File]
    changes: Rows[AuditRecord]


async def read_belongings(features: Features, user_id: UUID) -> Belongings:
    page = PageQuery(per_page=SHOWN)
    inbox, log = features.get(NotificationModule).inbox, features.get(AuditModule).log
    return Belongings(
        devices=await features.get(DeviceModule).devices.find(user_id, page),
        notifications=await inbox.find(user_id, InboxQuery(per_page=SHOWN)),
        files=await features.get(FileModule).files.find(user_id, page),
        changes=await log.find(AuditQuery(target_id=str(user_id), per_page=SHOWN)),
    )


def body_of(user: User, has: Belongings, now: datetime) -> RenderableType:
    numbers = (
        count(has.devices.total, "device", "devices"),
        count(has.notifications.total, "notification", "notifications"),
        count(has.files.total, "file", "files"),
        count(has.changes.total, "audit record", "audit records"),
    )
    return Group(
        facts([*profile_of(user), ("Has", ", ".join(numbers))]),
        *part(
            "Devices",
            ("Platform", "Seen", "Id"),
            [(one.platform, ago(one.last_seen_at, now), str(one.id)) for one in has.devices.rows],
        ),
        *part(
            "Newest notifications",
            ("Sent", "Read", "Pushed", "Title"),
            [
                (
                    ago(one.created_at, now),
                    ago(one.read_at, now) or "no",
                    ago(one.pushed_at, now) or "no",
                    one.title,
                )
                for one in has.notifications.rows
            ],
        ),
        *part(
            "Newest files",
            ("Added", "Bytes", "Status", "Type", "Name"),
            [
                (
                    ago(one.created_at, now),
                    f"{one.size:,}",
                    one.status,
                    one.content_type,
                    one.filename,
                )
                for one in has.files.rows
            ],
        ),
        *newest_records(has.changes.rows, now),
    )


def part(
    title: str, titles: Sequence[str], rows: Sequence[Sequence[Cell]]
) -> Iterator[RenderableType]:
    """A section, unless there is nothing in it."""
    if rows:
        yield section(title, listing(titles, rows))


def profile_of(user: User) -> Iterator[tuple[str, Cell]]:
    yield "Email", address_of(user)
    yield "Name", user.name or "-"
    yield "Phone", user.phone or "-"
    yield "Status", status_of(user)
    yield "Role", "administrator" if user.role is UserRole.ADMIN else "user"
    yield "Id", str(user.id)
    yield "Identity", user.identity_uid or "none before the first sign-in"
    yield "Picture", user.avatar_key or "-"
    yield "Since", moment(user.created_at)
    yield "Changed", moment(user.updated_at)


def address_of(user: User) -> str:
    """With what it is worth: who is no verified holder may have claimed anything."""
    if user.email is None:
        return "-"
    return f"{user.email}, {'verified' if user.email_key else 'not verified as theirs'}"


def status_of(user: User) -> Text:
    words = str(user.status)
    if user.status is UserStatus.SUSPENDED and user.suspended_by:
        words += f" by {user.suspended_by}"
    elif user.status is UserStatus.DELETED:
        words += f" {moment(user.deleted_at)}"
    return Text(words, style=STATUS_STYLES[user.status])
