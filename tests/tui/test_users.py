"""The view of users."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import pytest
from rich.text import Text

from myapp.audit import SYSTEM
from myapp.database.device import Device, DevicePlatform
from myapp.database.file import File, FileStatus
from myapp.database.notification import Notification
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.modules.user import UserModule
from myapp.registry import Features
from myapp.resources import Resources
from myapp.tui.views.users import UsersView
from tests.tui.conftest import Audit, Elsewhere, Events, Jobs, Operator, Sit, audited, drawn

ADA, BOB, ROOT = "ada@example.com", "bob@example.com", "root@example.com"
HOSTILE = "\x1b[2Jgone\r[bold]"
HARMLESS = " [2Jgone [bold]"


async def add(email: str | None, **fields: Any) -> User:
    """Somebody with this as a verified address."""
    return await User.create(**{"email": email, "email_key": email, **fields})


@pytest.fixture
async def people(resources: Resources) -> dict[str, User]:
    """By their emails, the oldest first."""
    return {
        ROOT: await add(ROOT, role=UserRole.ADMIN),
        BOB: await add(BOB, name="Bob", status=UserStatus.SUSPENDED, suspended_by="admin"),
        ADA: await add(ADA, name="Ada Lovelace", phone="+12015550123"),
    }


def view_of(operator: Operator) -> UsersView:
    return cast("UsersView", operator.app.view)


def emails(operator: Operator) -> list[str | None]:
    return [user.email for user in view_of(operator).rows_in_memory()]


def shows(operator: Operator, expected: Sequence[str]) -> bool:
    return operator.app.view.NAME == "users" and emails(operator) == list(expected)


async def come(operator: Operator, *, to: Sequence[str] = (ADA, BOB, ROOT)) -> None:
    """To the view, once it shows these."""
    await operator.press("5")
    await operator.until(partial(shows, operator, to))


async def state_of(user: User) -> tuple[UserStatus, UserRole]:
    await user.refresh_from_db()
    return user.status, user.role


def is_shown(operator: Operator, status: UserStatus, role: UserRole) -> bool:
    row = view_of(operator).current
    return row is not None and (row.status, row.role) == (status, role)


@pytest.mark.usefixtures("people")
class TestList:
    async def test_shows_the_newest_first(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            assert operator.status == "3 users"

    async def test_takes_the_filters_of_the_api(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            for typed, found in (
                ("LOVE", [ADA]),
                ("bob@", [BOB]),
                ("status:suspended", [BOB]),
                ("role:admin", [ROOT]),
                ("role:admin ada", []),
                ("sort:email example", [ADA, BOB, ROOT]),
                ("sort:-email", [ROOT, BOB, ADA]),
                ("status:deleted", []),
            ):
                await operator.filter(typed)
                await operator.until(partial(shows, operator, found))
                assert f"filter: {typed}" in operator.status

    async def test_finds_the_user_of_an_id(self, sit: Sit, people: dict[str, User]) -> None:
        async with sit() as operator:
            await operator.app.show("users", str(people[BOB].id))  # as a link does
            await operator.until(partial(shows, operator, [BOB]))
            await operator.filter(str(people[ADA].id))
            await operator.until(partial(shows, operator, [ADA]))

    async def test_says_what_is_wrong_with_a_filter(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.filter("status:odd")
            await operator.until(lambda: "suspended, deleted" in drawn(operator.app.view))
            assert operator.status.startswith("filter: status:odd · This filter makes no sense: ")


class TestNames:
    async def test_of_people_without_a_verified_email_have_their_id(self, sit: Sit) -> None:
        claimed = await add(ROOT, email_key=None)
        nameless = await add(None)
        async with sit() as operator:
            await operator.press("5")
            await operator.until(lambda: operator.status == "2 users")
            await operator.press("D")
            assert f"Delete user without a name, id {nameless.id}?" in await operator.question()
            await operator.press("n", "j", "A")
            assert f"Promote user {ROOT}, id {claimed.id}?" in await operator.question()
            dimmed = view_of(operator).cells(claimed)[0]
            assert isinstance(dimmed, Text)
            assert dimmed.style == "dim"

    async def test_that_are_hostile_do_not_drive_the_terminal(self, sit: Sit) -> None:
        user = await add(HOSTILE, name=HOSTILE, phone=HOSTILE[:20], identity_uid=HOSTILE)
        await File.create(
            user_id=user.id,
            filename=HOSTILE,
            content_type=HOSTILE,
            size=1,
            status=FileStatus.READY,
            key="key",
        )
        await Notification.create(user_id=user.id, title=HOSTILE, body="", data={})
        async with sit() as operator:
            await come(operator, to=[HOSTILE])
            assert "\x1b" not in drawn(operator.app.view)
            await operator.press("enter")
            await operator.until(lambda: "Newest files" in drawn(operator.app.view))
            text = drawn(operator.app.view)
            assert text.count(HARMLESS) >= 5
            assert "\x1b" not in text
            await operator.press("s")
            assert f"Suspend user {HARMLESS}?" in await operator.question()
            assert await operator.confirm() == f"{HARMLESS} is suspended"


class TestDetail:
    async def test_shows_what_somebody_has(
        self, sit: Sit, people: dict[str, User], features: Features
    ) -> None:
        ada = people[ADA]
        for number in range(7):
            await Notification.create(user_id=ada.id, title=f"No. {number}", body="", data={})
        device = await Device.create(
            user_id=ada.id,
            token="t",
            token_hash="h",
            platform=DevicePlatform.IOS,
            last_seen_at=datetime.now(UTC),
        )
        await File.create(
            user_id=ada.id,
            filename="cv.pdf",
            content_type="application/pdf",
            size=1234,
            status=FileStatus.PENDING,
            key="key",
        )
        await features.get(UserModule).administration.delete(ada.id, SYSTEM)
        await features.get(UserModule).administration.restore(ada.id, SYSTEM)
        async with sit() as operator:
            await come(operator)
            await operator.press("enter")
            await operator.until(lambda: "Has" in drawn(operator.app.view))
            above = drawn(operator.app.view)
            await operator.press("pagedown", "pagedown")
            await operator.until(lambda: "user.restored" in drawn(operator.app.view))
            text = above + drawn(operator.app.view)
        for expected in (
            f"{ADA}, verified",
            "+12015550123",
            str(ada.id),
            "1 device, 7 notifications, 1 file, 2 audit records",
            str(device.id),
            "No. 6",
            "cv.pdf",
            "1,234",
            "user.deleted",
            "system",
        ):
            assert expected in text
        assert "No. 1" not in text

    async def test_says_who_suspended_and_when_it_was_deleted(
        self, sit: Sit, people: dict[str, User], features: Features
    ) -> None:
        deleted = people[ADA]
        await features.get(UserModule).administration.delete(deleted.id, SYSTEM)
        async with sit() as operator:
            await come(operator, to=[BOB, ROOT])
            await operator.press("enter")
            await operator.until(lambda: "suspended by admin" in drawn(operator.app.view))
            await operator.filter("status:deleted")
            await operator.until(partial(shows, operator, [ADA]))
            await operator.press("enter")
            await operator.until(lambda: "deleted 20" in drawn(operator.app.view))


class TestActions:
    async def test_on_one_user_name_it_and_leave_a_record_each(
        self, sit: Sit, people: dict[str, User]
    ) -> None:
        ada = people[ADA]
        steps = (
            ("s", "Suspend", "is suspended", UserStatus.SUSPENDED, UserRole.USER),
            ("s", "Restore", "is active again", UserStatus.ACTIVE, UserRole.USER),
            ("A", "Promote", "is an administrator", UserStatus.ACTIVE, UserRole.ADMIN),
            ("A", "Demote", "is an administrator no more", UserStatus.ACTIVE, UserRole.USER),
            ("D", "Delete", "is deleted", UserStatus.DELETED, UserRole.USER),
            ("s", "Restore", "is active again", UserStatus.ACTIVE, UserRole.USER),
        )
        async with sit() as operator:
            await come(operator)
            await operator.filter(str(ada.id))
            for key, verb, said, status, role in steps:
                await operator.until(lambda: view_of(operator).current)
                await operator.press(key)
                named = view_of(operator).name_of(ada)
                assert named.startswith(ADA)
                assert (await operator.question()).startswith(f"{verb} user {named}?\n\nIt ")
                assert await operator.confirm() == f"{named} {said}"
                assert await state_of(ada) == (status, role)
                await operator.until(partial(is_shown, operator, status, role))
        done = ("suspended", "reactivated", "promoted", "demoted", "deleted", "restored")
        assert await audited() == [("tui", "ada", f"user.{what}", str(ada.id)) for what in done]

    async def test_on_marked_users_change_those_alone(
        self, sit: Sit, people: dict[str, User]
    ) -> None:
        eve = await add("eve@example.com")
        async with sit() as operator:
            await come(operator, to=["eve@example.com", ADA, BOB, ROOT])
            await operator.press("space", "space", "space", "s")
            assert (await operator.question()).startswith("Suspend 2 of the 3 marked users?")
            assert await operator.confirm() == "2 of 2 users: each is suspended"
        assert (await state_of(eve))[0] is (await state_of(people[ADA]))[0] is UserStatus.SUSPENDED
        assert (await state_of(people[ROOT]))[0] is UserStatus.ACTIVE

    async def test_spare_the_last_administrator(self, sit: Sit, people: dict[str, User]) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.press("j", "j")
            for key in ("s", "D", "A"):
                await operator.press(key)
                told = await operator.confirm()
                assert told == f"user {ROOT}: This is the last active administrator"
        assert await state_of(people[ROOT]) == (UserStatus.ACTIVE, UserRole.ADMIN)
        assert await audited() == []

    async def test_that_do_not_apply_say_so(self, sit: Sit, people: dict[str, User]) -> None:
        people[ADA].mark_deleted(at=datetime.now(UTC))
        await people[ADA].save()
        async with sit() as operator:
            await come(operator, to=[BOB, ROOT])
            await operator.filter("status:deleted")
            await operator.until(partial(shows, operator, [ADA]))
            for number, (key, verb) in enumerate((("D", "Delete"), ("A", "Promote")), 1):
                await operator.press(key)
                await operator.until(partial(operator.has_notices, number))
                assert operator.notices[-1].startswith(f"{verb} does not apply to user {ADA}")

    @pytest.mark.usefixtures("people")
    async def test_are_not_for_all_that_match(self, sit: Sit) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.press("asterisk")
            await operator.until(lambda: operator.notices)
            assert operator.notices == ["No action is for all users at once"]
            assert not view_of(operator).selection

    async def test_are_forbidden_while_reading_only(
        self, sit: Sit, people: dict[str, User]
    ) -> None:
        async with sit(readonly=True) as operator:
            await come(operator)
            for number, key in enumerate(("s", "D", "A"), 1):
                await operator.press(key)
                await operator.until(partial(operator.has_notices, number))
            assert {"--readonly" in notice for notice in operator.notices} == {True}
        assert await state_of(people[ADA]) == (UserStatus.ACTIVE, UserRole.USER)
        assert await audited() == []


class TestLinks:
    @pytest.mark.parametrize(
        ("key", "view", "wanted"),
        [
            ("o", "jobs", "{}"),
            ("e", "events", "{}"),
            ("a", "audit", "target_id:{}"),
            ("b", "audit", "actor_id:{}"),
        ],
    )
    async def test_lead_to_what_is_theirs(
        self, sit: Sit, people: dict[str, User], key: str, view: str, wanted: str
    ) -> None:
        async with sit(views=(UsersView, Jobs, Events, Audit)) as operator:
            await come(operator)
            await operator.press(key)
            await operator.until(lambda: view == operator.app.view.NAME)
            place = cast("Elsewhere", operator.app.view).place
            assert place.filter == wanted.format(people[ADA].id)

    async def test_lead_back_to_the_user(self, sit: Sit, people: dict[str, User]) -> None:
        async with sit() as operator:
            await come(operator)
            await operator.press("j", "enter")
            await operator.until(lambda: "suspended by" in drawn(operator.app.view))
            await operator.press("o")
            expected = f"0 jobs · filter: {people[BOB].id}"
            await operator.until(lambda: operator.status == expected)
            await operator.press("escape")
            await operator.until(lambda: "suspended by" in drawn(operator.app.view))
