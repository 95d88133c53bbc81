"""What the view of users looks like."""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from myapp.database.audit import ActorType, AuditRecord
from myapp.database.device import Device, DevicePlatform
from myapp.database.file import File, FileStatus
from myapp.database.notification import Notification
from myapp.database.paging import Rows
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.modules import audit, device, file, notification, user
from myapp.modules.audit import AuditModule
from myapp.modules.device import DeviceModule
from myapp.modules.file import FileModule
from myapp.modules.notification import NotificationModule
from myapp.modules.user import UserModule
from myapp.modules.user.dtos import UserQuery
from myapp.tui.app import Dashboard
from myapp.tui.paged_table import PagedTable
from myapp.tui.views.users import UsersView
from tests.tui.conftest import Operator, drawn
from tests.tui.pictures import NOW, SIZES, Compare, dashboard_over, play

NAMES = (
    "Ada Lovelace",
    "Grace Hopper",
    "Alan Turing",
    "Barbara Liskov",
    "Edsger Dijkstra",
    "Frances Allen",
    "Niklaus Wirth",
    "Radia Perlman",
    "Şafak Çelik",
)
NOTICES = ("Your invoice is ready", "Bob: see you at eight!", "Welcome", "A new device signed in")
THIRD = 2  # who is suspended, and opened


def id_of(number: int) -> UUID:
    return UUID(int=(0x0198C5A0 << 96) + (7 << 76) + (1 << 63) + number)


def user_of(number: int) -> User:
    name = NAMES[number % len(NAMES)]
    local = name.lower().replace(" ", ".")
    email = f"{local}{number // len(NAMES) or ''}@example.com"
    suspended = number % 7 == THIRD
    return User(
        id=id_of(number),
        identity_uid=f"Kq8sV2uXnR{number:03}",
        email=email,
        email_key=None if number % 5 == 3 else email,
        name=name,
        phone="+12015550123",
        status=UserStatus.SUSPENDED if suspended else UserStatus.ACTIVE,
        suspended_by="admin" if suspended else None,
        role=UserRole.ADMIN if number in (0, 6) else UserRole.USER,
        created_at=NOW - timedelta(hours=7 * number**2 + 2),
        updated_at=NOW - timedelta(hours=number + 1),
    )


USERS = [user_of(number) for number in range(60)]


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


DEVICES = [
    Device(id=id_of(900 + number), platform=platform, last_seen_at=ago(hours=9 * number + 1))
    for number, platform in enumerate((DevicePlatform.IOS, DevicePlatform.WEB))
]
NOTIFICATIONS = [
    Notification(
        id=id_of(800 + number),
        title=title,
        created_at=ago(hours=5 * number + 2),
        read_at=ago(hours=5 * number + 1) if number else None,
        pushed_at=ago(hours=5 * number + 2),
    )
    for number, title in enumerate(NOTICES)
]
FILES = [
    File(
        id=id_of(700),
        filename="lecture notes.pdf",
        content_type="application/pdf",
        size=3_481_022,
        status=FileStatus.READY,
        created_at=ago(days=3),
    ),
    File(
        id=id_of(701),
        filename="bombe.webp",
        content_type="image/webp",
        size=88_104,
        status=FileStatus.PENDING,
        created_at=ago(days=4),
    ),
]
CHANGES = [
    AuditRecord(
        actor_type=ActorType.TUI,
        actor_id="ops",
        action="user.suspended",
        before={"status": "active"},
        after={"status": "suspended"},
        created_at=ago(hours=3),
    )
]


class FakeUsers:
    """The part of AdministrationUsecase that is read."""

    async def find(self, query: UserQuery) -> Rows[User]:
        start = (query.page - 1) * query.per_page
        return Rows(USERS[start : start + query.per_page], len(USERS))

    async def get(self, user_id: UUID) -> User:
        return next(each for each in USERS if each.id == user_id)


class FakeFew:
    """A usecase that finds the same few for everybody."""

    def __init__(self, rows: Any, *, total: int | None = None) -> None:
        self._found = Rows(rows, total or len(rows))

    async def find(self, *_: object) -> Rows[Any]:
        return self._found


def dashboard(**options: Any) -> Dashboard:
    nothing = cast("Any", None)
    users = UserModule(
        administration=cast("Any", FakeUsers()),
        profile=nothing,
        avatar=nothing,
        directory=nothing,
        grants=nothing,
        storage=nothing,
    )
    files = FileModule(
        files=cast("Any", FakeFew(FILES)),
        upload=nothing,
        direct=nothing,
        storage=nothing,
        signer=nothing,
    )
    inbox = cast("Any", FakeFew(NOTIFICATIONS, total=120))
    modules = [
        (user, users),
        (device, DeviceModule(devices=cast("Any", FakeFew(DEVICES)))),
        (notification, NotificationModule(inbox=inbox, send=nothing)),
        (file, files),
        (audit, AuditModule(log=cast("Any", FakeFew(CHANGES)))),
    ]
    return dashboard_over(modules, UsersView, **options)


def ready(operator: Operator) -> bool:
    return operator.status == "60 users"


@pytest.mark.parametrize("size", SIZES, ids=str)
class TestUsers:
    def test_list(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "j", "space", "j", ready=ready, until=lambda operator: table(operator).cursor == 3
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_detail(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            *["j"] * THIRD,
            "enter",
            ready=ready,
            until=lambda operator: "Newest" in drawn(operator.app.view),
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)

    def test_question(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        played = play(
            "D", ready=ready, until=lambda operator: "No (n)" in drawn(operator.app.screen)
        )
        assert snap_compare(dashboard(), terminal_size=size, run_before=played)


def test_reading_only_in_sixteen_colours(snap_compare: Compare) -> None:
    app = dashboard(readonly=True)
    app.theme = "myapp-16"
    played = play("j", ready=ready, until=lambda operator: table(operator).cursor == 1)
    assert snap_compare(app, terminal_size=SIZES[0], run_before=played)


def table(operator: Operator) -> PagedTable:
    return operator.app.view.query(PagedTable).last()
