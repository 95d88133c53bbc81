"""Which user an identity becomes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from myapp.audit import SYSTEM, record_change
from myapp.database.audit import AuditRecord
from myapp.database.notification import Notification
from myapp.database.outbox import OutboxRow
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.errors import Conflict, NotFound
from myapp.identity.base import Identity
from myapp.modules.auth.usecases import SignIn
from myapp.modules.user import UserModule
from myapp.modules.user.dtos import UserChanges
from myapp.registry import Features
from myapp.resources import Resources

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADA = Identity(
    uid="uid-ada",
    email="Ada@Example.com",
    email_verified=True,
    name="Ada",
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)


@pytest.fixture
def sign_in(resources: Resources) -> SignIn:
    return SignIn(accounts=resources.accounts, outbox=resources.outbox, audit=record_change)


async def resolved(sign_in: SignIn, identity: Identity) -> User:
    return await User.get(id=await sign_in.resolve(identity))


class TestFirstSignIn:
    async def test_creates_the_user_with_what_the_token_says(self, sign_in: SignIn) -> None:
        user = await resolved(sign_in, ADA)
        assert (user.email, user.name, user.status) == ("Ada@Example.com", "Ada", "active")

    async def test_fifty_at_once_create_one_user(self, sign_in: SignIn) -> None:
        ids = await asyncio.gather(*(sign_in.resolve(ADA) for _ in range(50)))
        assert len(set(ids)) == 1
        assert await User.all().count() == 1

    async def test_takes_an_identity_without_email(self, sign_in: SignIn) -> None:
        user = await resolved(sign_in, replace(ADA, email=None, email_verified=False))
        assert user.email is None

    async def test_takes_any_number_of_identities_without_email(self, sign_in: SignIn) -> None:
        for uid in ("one", "two"):
            await sign_in.resolve(replace(ADA, uid=uid, email=None, email_verified=False))
        assert await User.all().count() == 2

    async def test_tells_identities_apart_that_differ_in_case(self, sign_in: SignIn) -> None:
        upper = await sign_in.resolve(replace(ADA, uid="UID", email=None))
        lower = await sign_in.resolve(replace(ADA, uid="uid", email=None))
        assert upper != lower

    async def test_takes_an_email_and_a_name_that_are_too_long_to_keep(
        self, sign_in: SignIn
    ) -> None:
        user = await resolved(sign_in, replace(ADA, email="a" * 400 + "@b.c", name="n" * 400))
        assert user.email is None
        assert user.name == "n" * 255


class TestVerifiedEmail:
    async def test_joins_the_account_that_was_prepared_for_it(self, sign_in: SignIn) -> None:
        prepared = await User.create(email="ada@example.com", email_key="ada@example.com")
        assert await sign_in.resolve(ADA) == prepared.id

    async def test_does_not_join_an_account_that_somebody_signs_in_to(
        self, sign_in: SignIn
    ) -> None:
        first = await sign_in.resolve(ADA)
        second = await resolved(sign_in, replace(ADA, uid="another"))
        assert second.id != first
        assert second.email_key is None

    async def test_is_not_confused_with_one_that_only_looks_the_same(self, sign_in: SignIn) -> None:
        await sign_in.resolve(replace(ADA, uid="plain", email="jose@example.com"))
        accented = await resolved(sign_in, replace(ADA, uid="accent", email="josé@example.com"))
        assert accented.email_key == "josé@example.com"

    async def test_two_identities_at_once_leave_it_with_one(self, sign_in: SignIn) -> None:
        twins = [replace(ADA, uid=f"twin-{number}") for number in range(10)]
        await asyncio.gather(*(sign_in.resolve(twin) for twin in twins))
        assert await User.filter(email_key="ada@example.com").count() == 1
        assert await User.all().count() == len(twins)


class TestUnverifiedEmail:
    async def test_joins_nothing(self, sign_in: SignIn) -> None:
        prepared = await User.create(email="ada@example.com", email_key="ada@example.com")
        assert await sign_in.resolve(replace(ADA, email_verified=False)) != prepared.id

    async def test_blocks_nobody(self, sign_in: SignIn) -> None:
        await sign_in.resolve(replace(ADA, uid="squatter", email_verified=False))
        owner = await resolved(sign_in, ADA)
        assert owner.email_key == "ada@example.com"

    async def test_counts_once_it_is_verified(self, sign_in: SignIn) -> None:
        await sign_in.resolve(replace(ADA, email_verified=False))
        user = await resolved(sign_in, replace(ADA, issued_at=NOW + timedelta(minutes=5)))
        assert user.email_key == "ada@example.com"


class TestPreparedForAUser:
    """Somebody signed up before their email was verified, and was granted the role by it."""

    VERIFIED = replace(ADA, issued_at=NOW + timedelta(minutes=5))

    @pytest.fixture
    async def ada(self, sign_in: SignIn) -> User:
        return await resolved(sign_in, replace(ADA, email_verified=False))

    async def prepare(self, **changes: object) -> User:
        fields: dict[str, Any] = {"email": "ada@example.com", "email_key": "ada@example.com"}
        return await User.create(**{**fields, "role": UserRole.ADMIN, **changes})

    async def test_is_theirs_once_it_is_verified(
        self, resources: Resources, sign_in: SignIn, ada: User
    ) -> None:
        changed: list[object] = []
        prepared = await self.prepare(phone="+4930123456")
        resources.accounts.on_change(changed.append)
        user = await resolved(sign_in, self.VERIFIED)
        assert [each.id for each in await User.all()] == [user.id] == [ada.id]
        assert (user.role, user.email_key) == (UserRole.ADMIN, "ada@example.com")
        assert (user.name, user.phone) == ("Ada", "+4930123456")
        assert {ada.id, prepared.id} <= {*changed}

    async def test_is_told_and_recorded(self, sign_in: SignIn, ada: User) -> None:
        prepared = await self.prepare()
        await sign_in.resolve(self.VERIFIED)
        told = await OutboxRow.all().values_list("name", "user_id")
        assert told == [("user.updated", ada.id)]
        record = await AuditRecord.get()
        assert (record.action, record.actor_type, record.target_id) == (
            "user.joined",
            "system",
            str(ada.id),
        )
        assert record.before == {"email_verified": False, "role": "user"}
        assert record.after == {
            "email_verified": True,
            "role": "admin",
            "prepared_id": str(prepared.id),
        }

    async def test_has_in_its_inbox_what_the_other_was_told(
        self, sign_in: SignIn, ada: User
    ) -> None:
        prepared = await self.prepare()
        for user, title in ((ada, "to all"), (prepared, "to all"), (prepared, "to her")):
            await Notification.create(user_id=user.id, title=title, body="", data={})
        await sign_in.resolve(self.VERIFIED)
        inbox = [each.title for each in await Notification.inbox(ada.id).order_by("id")]
        assert inbox == ["to all", "to her"]
        assert await Notification.all().count() == 2

    async def test_is_not_while_the_email_is_unverified(self, sign_in: SignIn, ada: User) -> None:
        await self.prepare()
        again = replace(self.VERIFIED, email_verified=False, name="A.")
        assert (await resolved(sign_in, again)).role is UserRole.USER
        assert await User.all().count() == 2

    async def test_takes_no_role_away(self, sign_in: SignIn, ada: User) -> None:
        await User.filter(id=ada.id).update(role=UserRole.ADMIN)
        await self.prepare(role=UserRole.USER)
        assert (await resolved(sign_in, self.VERIFIED)).role is UserRole.ADMIN
        assert await User.all().count() == 1

    async def test_a_suspension_of_it_holds(self, sign_in: SignIn, ada: User) -> None:
        await self.prepare(status=UserStatus.SUSPENDED, suspended_by="admin")
        user = await resolved(sign_in, self.VERIFIED)
        assert (user.status, user.suspended_by) == (UserStatus.SUSPENDED, "admin")
        assert await User.all().count() == 1
        assert [row.name for row in await OutboxRow.all().order_by("id")] == [
            "user.updated",
            "user.suspended",
        ]

    async def test_never_costs_the_last_active_administrator(
        self, sign_in: SignIn, ada: User
    ) -> None:
        """It is left alone until the user is active again."""
        await User.filter(id=ada.id).update(status=UserStatus.SUSPENDED)
        await self.prepare()
        assert (await resolved(sign_in, self.VERIFIED)).email_key is None
        assert await User.filter(role=UserRole.ADMIN, status=UserStatus.ACTIVE).count() == 1
        await User.filter(id=ada.id).update(status=UserStatus.ACTIVE)
        later = replace(self.VERIFIED, issued_at=NOW + timedelta(hours=1))
        assert (await resolved(sign_in, later)).role is UserRole.ADMIN

    async def test_never_suspends_an_active_administrator(self, sign_in: SignIn, ada: User) -> None:
        await User.filter(id=ada.id).update(role=UserRole.ADMIN)
        await self.prepare(status=UserStatus.SUSPENDED)
        assert (await resolved(sign_in, self.VERIFIED)).status is UserStatus.ACTIVE

    @pytest.mark.parametrize("older", ["user", "prepared"])
    async def test_while_administrators_remove_each_other_one_stays(
        self, features: Features, sign_in: SignIn, older: str
    ) -> None:
        administration = features.get(UserModule).administration
        for _ in range(10):
            await User.all().delete()
            prepared = await self.prepare() if older == "prepared" else None
            await sign_in.resolve(replace(ADA, email_verified=False))
            prepared = prepared or await self.prepare()
            root = await User.create(role=UserRole.ADMIN)
            outcomes = await asyncio.gather(
                administration.change(root.id, UserChanges(role=UserRole.USER), SYSTEM),
                sign_in.resolve(self.VERIFIED),
                administration.change(prepared.id, UserChanges(role=UserRole.USER), SYSTEM),
                return_exceptions=True,
            )
            failures = {type(each) for each in outcomes if isinstance(each, BaseException)}
            assert failures <= {Conflict, NotFound}, outcomes
            assert await User.filter(role=UserRole.ADMIN, status=UserStatus.ACTIVE).exists()
            assert await User.all().count() == 2


class TestLaterSignIn:
    async def test_takes_over_a_changed_email(self, sign_in: SignIn) -> None:
        await sign_in.resolve(ADA)
        later = replace(ADA, email="new@example.com", issued_at=NOW + timedelta(hours=2))
        user = await resolved(sign_in, later)
        assert (user.email, user.email_key) == ("new@example.com", "new@example.com")

    async def test_with_an_older_token_changes_nothing_back(self, sign_in: SignIn) -> None:
        await sign_in.resolve(replace(ADA, email="new@example.com"))
        user = await resolved(sign_in, replace(ADA, issued_at=NOW - timedelta(minutes=1)))
        assert user.email == "new@example.com"

    async def test_keeps_the_name_that_the_user_chose(self, sign_in: SignIn) -> None:
        user_id = await sign_in.resolve(ADA)
        await User.filter(id=user_id).update(name="Countess")
        user = await resolved(sign_in, replace(ADA, issued_at=NOW + timedelta(hours=2)))
        assert user.name == "Countess"

    async def test_of_a_deleted_account_does_not_take_its_email_back(self, sign_in: SignIn) -> None:
        user = await resolved(sign_in, ADA)
        user.mark_deleted(at=NOW)
        await user.save()
        again = await resolved(sign_in, replace(ADA, issued_at=NOW + timedelta(hours=2)))
        assert again.status is UserStatus.DELETED
        assert again.email_key is None


class TestMeanwhile:
    """What happens between the look at the account and its lock."""

    NEWS = replace(ADA, email="new@example.com", issued_at=NOW + timedelta(minutes=1))

    @pytest.fixture
    def meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Awaitable[object]], None]:
        """Has this happen as soon as the next sign-in has looked."""
        look = User.by_identity

        def install(happening: Awaitable[object]) -> None:
            async def look_late(uid: str) -> User | None:
                found = await look(uid)
                monkeypatch.setattr(User, "by_identity", look)
                await happening
                return found

            monkeypatch.setattr(User, "by_identity", look_late)

        return install

    async def test_a_deletion_keeps_the_email_free(
        self, sign_in: SignIn, meanwhile: Callable[[Awaitable[object]], None]
    ) -> None:
        async def delete() -> None:
            user = await User.get(identity_uid=ADA.uid)
            user.mark_deleted(at=NOW)
            await user.save()

        await sign_in.resolve(ADA)
        meanwhile(delete())
        assert (await resolved(sign_in, self.NEWS)).email_key is None
        next_owner = await resolved(sign_in, replace(self.NEWS, uid="next"))
        assert next_owner.email_key == "new@example.com"

    async def test_a_newer_token_stays_the_newest(
        self, sign_in: SignIn, meanwhile: Callable[[Awaitable[object]], None]
    ) -> None:
        await sign_in.resolve(ADA)
        issued_at = NOW + timedelta(minutes=2)
        newest = replace(ADA, email="newest@example.com", issued_at=issued_at)
        meanwhile(sign_in.resolve(newest))
        user = await resolved(sign_in, self.NEWS)
        assert (user.email, user.email_key) == ("newest@example.com", "newest@example.com")
        assert user.claims_at == issued_at

    async def test_the_end_of_the_account_is_no_error(
        self, sign_in: SignIn, meanwhile: Callable[[Awaitable[object]], None]
    ) -> None:
        """Whoever is told of the account finds it gone, and asks again."""
        user_id = await sign_in.resolve(ADA)
        meanwhile(User.filter(id=user_id).delete())
        assert await sign_in.resolve(self.NEWS) == user_id
        assert not await User.exists()
