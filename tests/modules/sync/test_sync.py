"""Users brought in line with a provider's list."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from myapp.audit import record_change
from myapp.database.audit import ActorType, AuditRecord
from myapp.database.outbox import OutboxRow
from myapp.database.sync import SyncProgress
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.errors import Conflict, Invalid, Unavailable
from myapp.identity.directory import AbsentDirectory, Listing, NoDirectory, Person
from myapp.modules.sync.change import Action, Change, ChangeUsecase
from myapp.modules.sync.tasks import sync_handler
from myapp.modules.sync.usecases import SyncUsecase
from myapp.queue.tasks import JobContext, Nothing
from myapp.resources import Resources


class FakeDirectory:
    """A list in pages of two, that can fail at one of them."""

    def __init__(self, *people: Person) -> None:
        self.people = {person.uid: person for person in people}
        self.asked: list[str | None] = []
        self.fails_at: str | None = None
        self.refuses: str | None = None

    async def list_page(self, token: str | None) -> Listing:
        self.asked.append(token)
        if token is not None and token == self.fails_at:
            raise Unavailable
        if token is not None and token == self.refuses:
            raise Invalid
        start = int(token or 0)
        page = list(self.people.values())[start : start + 2]
        more = start + 2 < len(self.people)
        return Listing(page, str(start + 2) if more else None)

    async def find_missing(self, uids: Sequence[str]) -> frozenset[str]:
        return frozenset(uids) - self.people.keys()

    async def close(self) -> None: ...


def person(uid: str, **changes: object) -> Person:
    fields = {
        "email": f"{uid}@example.com",
        "email_verified": True,
        "name": uid.title(),
        "disabled": False,
    }
    return Person(uid, **fields | changes)  # type: ignore[arg-type]  # the fields of Person


def usecase(resources: Resources, directory: object) -> SyncUsecase:
    change = ChangeUsecase(
        accounts=resources.accounts, outbox=resources.outbox, audit=record_change
    )
    return SyncUsecase(directory, change=change)  # type: ignore[arg-type]  # fakes fit by shape


async def make(uid: str, **changes: object) -> User:
    email = f"{uid}@example.com"
    fields: dict[str, Any] = {"identity_uid": uid, "email": email, "email_key": email}
    return await User.create(**fields | changes)


class TestCreate:
    async def test_makes_a_user_of_everybody_on_every_page(self, resources: Resources) -> None:
        people = [person(f"u{number}") for number in range(5)]
        counts = await usecase(resources, FakeDirectory(*people)).run()
        assert counts == {"seen": 5, "created": 5}
        user = await User.get(identity_uid="u0")
        assert (user.email, user.email_key, user.name) == ("u0@example.com", "u0@example.com", "U0")

    async def test_joins_an_account_that_was_prepared(self, resources: Resources) -> None:
        await make("ada", identity_uid=None, role=UserRole.ADMIN)
        counts = await usecase(resources, FakeDirectory(person("ada"))).run()
        assert counts == {"seen": 1, "joined": 1}
        assert (await User.get()).identity_uid == "ada"

    async def test_joins_nobody_by_an_email_that_is_not_verified(
        self, resources: Resources
    ) -> None:
        await make("ada", identity_uid=None, role=UserRole.ADMIN)
        listed = person("eve", email="ada@example.com", email_verified=False)
        await usecase(resources, FakeDirectory(listed)).run()
        eve = await User.get(identity_uid="eve")
        assert (eve.email, eve.email_key, eve.role) == ("ada@example.com", None, UserRole.USER)

    async def test_joins_no_account_that_somebody_else_has_joined_meanwhile(
        self, resources: Resources
    ) -> None:
        ada = await make("ada", identity_uid="first")
        late = Change(Action.JOINED, "second", "ada@example.com", ada.id)
        change = ChangeUsecase(
            accounts=resources.accounts, outbox=resources.outbox, audit=record_change
        )
        assert not await change.make(late, person("second", email="ada@example.com"))
        assert (await User.get()).identity_uid == "first"

    async def test_joins_what_was_prepared_for_somebody_who_had_an_account(
        self, resources: Resources
    ) -> None:
        """Their email was not verified when they signed up."""
        ada = await make("ada", email_key=None)
        prepared = await make("ada", identity_uid=None, role=UserRole.ADMIN)
        changed: list[object] = []
        resources.accounts.on_change(changed.append)
        directory = FakeDirectory(person("ada"))
        assert await usecase(resources, directory).run() == {"seen": 1, "joined": 1}
        user = await User.get()
        assert (user.id, user.role, user.email_key) == (ada.id, UserRole.ADMIN, "ada@example.com")
        assert {ada.id, prepared.id} <= {*changed}
        record = await AuditRecord.get()
        assert record.before == {"email_verified": False, "role": "user"}
        assert record.after == {
            "email_verified": True,
            "role": "admin",
            "prepared_id": str(prepared.id),
        }
        assert await usecase(resources, directory).run() == {"seen": 1}

    async def test_leaves_what_was_prepared_for_somebody_who_is_suspended(
        self, resources: Resources
    ) -> None:
        await make("ada", email_key=None, status=UserStatus.SUSPENDED, suspended_by="admin")
        await make("ada", identity_uid=None, role=UserRole.ADMIN)
        assert await usecase(resources, FakeDirectory(person("ada"))).run() == {"seen": 1}
        assert await User.filter(role=UserRole.ADMIN, status=UserStatus.ACTIVE).count() == 1

    async def test_of_somebody_disabled_is_suspended_at_once(self, resources: Resources) -> None:
        await usecase(resources, FakeDirectory(person("ada", disabled=True))).run()
        assert (await User.get()).status is UserStatus.SUSPENDED


class TestUpdate:
    async def test_takes_over_the_email_and_nothing_that_is_the_users(
        self, resources: Resources
    ) -> None:
        await make("ada", name="Countess")
        listed = person("ada", email="new@example.com", name="Other")
        assert await usecase(resources, FakeDirectory(listed)).run() == {"seen": 1, "updated": 1}
        user = await User.get()
        assert (user.email, user.email_key, user.name) == (
            "new@example.com",
            "new@example.com",
            "Countess",
        )

    async def test_of_what_is_in_line_changes_nothing(self, resources: Resources) -> None:
        await make("ada")
        assert await usecase(resources, FakeDirectory(person("ada"))).run() == {"seen": 1}
        assert not await AuditRecord.exists()

    async def test_leaves_an_email_that_another_account_holds(self, resources: Resources) -> None:
        await make("ada")
        await make("bob")
        directory = FakeDirectory(person("ada"), person("bob", email="ada@example.com"))
        await usecase(resources, directory).run()
        bob = await User.get(identity_uid="bob")
        assert (bob.email, bob.email_key) == ("ada@example.com", None)
        assert await usecase(resources, directory).run() == {"seen": 2}


class TestSuspension:
    async def test_follows_the_provider(self, resources: Resources) -> None:
        await make("ada")
        directory = FakeDirectory(person("ada", disabled=True))
        assert (await usecase(resources, directory).run())["suspended"] == 1
        assert [row.name for row in await OutboxRow.all().order_by("id")] == [
            "user.updated",
            "user.suspended",
        ]
        directory.people["ada"] = person("ada")
        assert (await usecase(resources, directory).run())["reactivated"] == 1
        user = await User.get()
        assert (user.status, user.suspended_by) == (UserStatus.ACTIVE, None)

    async def test_by_an_administrator_is_not_lifted(self, resources: Resources) -> None:
        await make("ada", status=UserStatus.SUSPENDED, suspended_by="admin")
        assert await usecase(resources, FakeDirectory(person("ada"))).run() == {"seen": 1}
        assert (await User.get()).status is UserStatus.SUSPENDED

    async def test_never_takes_the_last_administrator(self, resources: Resources) -> None:
        await make("ada", role=UserRole.ADMIN)
        directory = FakeDirectory(person("ada", disabled=True))
        assert await usecase(resources, directory).run() == {"seen": 1}
        assert (await User.get()).status is UserStatus.ACTIVE

    async def test_never_takes_the_last_administrator_who_was_prepared(
        self, resources: Resources
    ) -> None:
        await make("ada", identity_uid=None, role=UserRole.ADMIN)
        directory = FakeDirectory(person("ada", disabled=True))
        assert await usecase(resources, directory).run() == {"seen": 1}
        assert (await User.get()).status is UserStatus.ACTIVE
        await make("root", identity_uid=None, role=UserRole.ADMIN)
        assert await usecase(resources, directory).run() == {"seen": 1, "joined": 1}
        ada = await User.get(identity_uid="ada")
        assert (ada.status, ada.suspended_by) == (UserStatus.SUSPENDED, "sync")

    async def test_of_somebody_reactivated_meanwhile_is_one_whatever_was_planned(
        self, resources: Resources
    ) -> None:
        """Another email was planned for a suspended account, and nothing else."""
        ada = await make("ada", role=UserRole.ADMIN)
        planned = Change(Action.UPDATED, "ada", "new@example.com", ada.id)
        change = ChangeUsecase(
            accounts=resources.accounts, outbox=resources.outbox, audit=record_change
        )
        disabled = person("ada", email="new@example.com", disabled=True)
        assert not await change.make(planned, disabled)
        assert (await User.get()).status is UserStatus.ACTIVE
        await make("root", role=UserRole.ADMIN)
        assert await change.make(planned, disabled)
        assert [row.name for row in await OutboxRow.all().order_by("id")] == [
            "user.updated",
            "user.suspended",
        ]


class TestDeletion:
    async def test_closes_the_accounts_of_who_is_gone(self, resources: Resources) -> None:
        await make("ada")
        await make("gone")
        await make("prepared", identity_uid=None)
        counts = await usecase(resources, FakeDirectory(person("ada"))).run()
        assert counts == {"seen": 1, "deleted": 1}
        gone = await User.get(identity_uid="gone")
        assert (gone.status, gone.email_key) == (UserStatus.DELETED, None)
        assert await User.filter(status=UserStatus.ACTIVE).count() == 2

    async def test_does_not_believe_an_empty_list(self, resources: Resources) -> None:
        await make("ada")
        with pytest.raises(Conflict):
            await usecase(resources, FakeDirectory()).run()
        assert (await User.get()).status is UserStatus.ACTIVE

    async def test_of_an_account_of_ours_is_not_undone(self, resources: Resources) -> None:
        await make("ada", status=UserStatus.DELETED, email_key=None, deleted_at=datetime.now(UTC))
        assert await usecase(resources, FakeDirectory(person("ada"))).run() == {"seen": 1}
        assert (await User.get()).status is UserStatus.DELETED


class TestDryRun:
    async def test_tells_of_every_difference_and_changes_none(self, resources: Resources) -> None:
        await make("gone")
        await make("bad")
        told: list[Change] = []
        directory = FakeDirectory(person("new"), person("bad", disabled=True))
        counts = await usecase(resources, directory).run(dry_run=True, on_change=told.append)
        assert counts == {"seen": 2, "created": 1, "suspended": 1, "deleted": 1}
        assert [(change.action, change.uid) for change in told] == [
            ("created", "new"),
            ("suspended", "bad"),
            ("deleted", "gone"),
        ]
        assert await User.filter(status=UserStatus.ACTIVE).count() == 2
        assert not await AuditRecord.exists()
        assert not await SyncProgress.exists()


class TestResumption:
    async def test_goes_on_at_the_page_where_it_died(self, resources: Resources) -> None:
        directory = FakeDirectory(*(person(f"u{number}") for number in range(5)))
        directory.fails_at = "2"
        with pytest.raises(Unavailable):
            await usecase(resources, directory).run()
        directory.fails_at, directory.asked = None, []
        counts = await usecase(resources, directory).run()
        assert directory.asked == ["2", "4"]
        assert counts == {"seen": 3, "created": 3}
        assert not await SyncProgress.exists()

    async def test_begins_afresh_after_hours_and_where_the_page_is_refused(
        self, resources: Resources
    ) -> None:
        directory = FakeDirectory(*(person(f"u{number}") for number in range(3)))
        await SyncProgress.create(name="users", page_token="2")
        directory.refuses = "2"
        with pytest.raises(Invalid):
            await usecase(resources, directory).run()
        assert directory.asked == ["2", None, "2"]
        await SyncProgress.all().update(updated_at=datetime.now(UTC) - timedelta(hours=7))
        directory.refuses, directory.asked = None, []
        await usecase(resources, directory).run()
        assert directory.asked == [None, "2"]


class TestAudit:
    async def test_each_change_is_the_systems(self, resources: Resources) -> None:
        await make("ada")
        await make("gone")
        directory = FakeDirectory(person("ada", disabled=True), person("new"))
        await usecase(resources, directory).run()
        records = await AuditRecord.all()
        assert {record.actor_type for record in records} == {ActorType.SYSTEM}
        assert {record.action for record in records} == {
            "user.created",
            "user.suspended",
            "user.deleted",
        }


class TestNoList:
    async def test_is_a_clear_error_for_who_asks(self, resources: Resources) -> None:
        with pytest.raises(NoDirectory, match="no list"):
            await usecase(resources, resources.directory).run()

    async def test_is_no_failure_of_the_nightly_task(self, resources: Resources) -> None:
        handle = sync_handler(usecase(resources, AbsentDirectory("none here")))
        job = JobContext("k", "sync:data", "low", 1, 5, None, "w")
        assert await handle(job, Nothing()) == {"skipped": "none here"}
