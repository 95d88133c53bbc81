from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tortoise.exceptions import IntegrityError

from myapp.database.connection import Database
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus


class TestEntity:
    async def test_ids_grow_with_time(self, database: Database) -> None:
        users = [await User.create() for _ in range(20)]
        assert [user.id for user in users] == sorted(user.id for user in users)
        assert isinstance(users[0].id, UUID)
        assert users[0].id.version == 7

    async def test_times_are_in_utc_to_the_microsecond(self, database: Database) -> None:
        moment = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)
        elsewhere = moment.astimezone(tz=None)
        user = await User.create(claims_at=elsewhere)
        found = await User.get(id=user.id)
        assert found.claims_at == moment
        assert found.claims_at.utcoffset() == timedelta(0)
        assert await User.filter(claims_at=moment).count() == 1
        assert abs(found.created_at - datetime.now(UTC)) < timedelta(minutes=1)
        assert found.created_at == user.created_at

    async def test_saving_moves_the_time_of_the_update_only(self, database: Database) -> None:
        user = await User.create()
        created, updated = user.created_at, user.updated_at
        await user.save()
        found = await User.get(id=user.id)
        assert found.created_at == created
        assert found.updated_at > updated


class TestKeys:
    @pytest.mark.parametrize("other", ["abc", "ABC", "AbC ", " AbC", "ÄbC", "AbC\t"])
    async def test_an_identity_is_itself_alone(self, database: Database, other: str) -> None:
        await User.create(identity_uid="AbC")
        assert await User.by_identity(other) is None
        await User.create(identity_uid=other)
        found = await User.by_identity("AbC")
        assert found is not None
        assert found.identity_uid == "AbC"

    async def test_an_identity_may_be_as_long_as_its_column_in_any_script(
        self, database: Database
    ) -> None:
        uid = "\N{FOX FACE}" * 128
        await User.create(identity_uid=uid)
        found = await User.by_identity(uid)
        assert found is not None
        assert found.identity_uid == uid
        assert await User.all().values("identity_uid") == [{"identity_uid": uid}]

    async def test_an_identity_has_one_account(self, database: Database) -> None:
        await User.create(identity_uid="twice")
        with pytest.raises(IntegrityError):
            await User.create(identity_uid="twice")

    async def test_many_accounts_may_have_no_identity_and_no_email(
        self, database: Database
    ) -> None:
        await User.create()
        await User.create()
        assert await User.filter(identity_uid=None, email_key=None).count() == 2

    async def test_a_verified_address_is_found_in_any_case(self, database: Database) -> None:
        user = await User.create(email="Ann@Example.com", email_key="ann@example.com")
        found = await User.by_email("ANN@example.COM")
        assert found is not None
        assert found.id == user.id
        with pytest.raises(IntegrityError):
            await User.create(email_key="ann@example.com")


class TestText:
    async def test_what_people_type_comes_back(self, database: Database) -> None:
        name = "Zoë \N{FOX FACE} 王 \\ ' \" % _"
        user = await User.create(name=name, email="\N{FOX FACE}@example.com")
        found = await User.get(id=user.id)
        assert (found.name, found.email) == (name, "\N{FOX FACE}@example.com")

    async def test_search_ignores_case(self, database: Database) -> None:
        await User.create(email="Ann@Example.com", name="Ann")
        assert await User.filter(email__icontains="EXAMPLE").count() == 1


class TestStatus:
    async def test_a_new_account_is_active_and_no_administrator(self, database: Database) -> None:
        user = await User.get(id=(await User.create()).id)
        assert user.status is UserStatus.ACTIVE
        assert user.role is UserRole.USER

    async def test_it_is_stored_as_its_value(self, database: Database) -> None:
        await User.create(status=UserStatus.SUSPENDED)
        rows = await database.client.execute_query_dict("SELECT status FROM users")
        assert rows == [{"status": "suspended"}]

    async def test_an_update_counts_rows_that_it_leaves_as_they_are(
        self, database: Database
    ) -> None:
        user = await User.create(role=UserRole.ADMIN)
        assert await User.filter(id=user.id).update(role=UserRole.ADMIN) == 1
