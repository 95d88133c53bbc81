"""WatchAccounts through everything: what a client of another service sees of changes."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from myapp.audit import SYSTEM, Actor
from myapp.database.api_key import ApiKey, Scope
from myapp.database.audit import ActorType
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.events import Event, UserUpdated
from myapp.modules.auth import AuthModule
from myapp.modules.user import UserModule
from myapp.modules.user.dtos import ProfileChanges
from myapp.modules.user.usecases.purge import RESTORABLE
from myapp.registry import Features
from myapp.resources import Resources
from tests.conftest import SignIn
from tests.grpc.conftest import Key
from tests.grpc.reflected import Reflected
from tests.grpc.role import Role
from tests.support.valkey import Valkey


@pytest.fixture
def accounts(features: Features) -> UserModule:
    return features.get(UserModule)


async def signed_in(features: Features, sign_in: SignIn) -> User:
    token = sign_in()["Authorization"].removeprefix("Bearer ")
    principal = await features.get(AuthModule).authenticator.authenticate(token)
    return principal.user


def statuses(changes: list[Any]) -> list[str]:
    return [change["account"]["status"].removeprefix("ACCOUNT_STATUS_") for change in changes]


async def test_every_kind_of_change_is_told(
    service: Reflected, features: Features, accounts: UserModule, sign_in: SignIn
) -> None:
    watch = await service.watch()
    user = await signed_in(features, sign_in)
    assert (await watch.changes(1))[0]["account"]["email"] == "ada@example.com"
    await accounts.profile.change(user.id, ProfileChanges(name="Ada"))
    assert (await watch.changes(2))[1]["account"]["name"] == "Ada"
    for status in (2, 1):
        await service.call("UpdateAccountStatus", id=str(user.id), status=status)
        await watch.changes(5 - status)
    await accounts.administration.delete(user.id, SYSTEM)
    await watch.changes(5)
    await accounts.administration.restore(user.id, SYSTEM)
    changes = await watch.changes(6)
    assert statuses(changes) == ["ACTIVE", "ACTIVE", "SUSPENDED", "ACTIVE", "DELETED", "ACTIVE"]
    assert {change["account"]["id"] for change in changes} == {str(user.id)}


async def test_a_prepared_administrator_and_a_purge_are_told(
    service: Reflected, accounts: UserModule
) -> None:
    watch = await service.watch()
    actor = Actor(ActorType.CLI)
    user = await accounts.grants.grant("root@example.com", actor)
    assert (await watch.changes(1))[0]["account"]["role"] == "ACCOUNT_ROLE_ADMIN"
    user.status, user.deleted_at = UserStatus.DELETED, datetime.now(UTC) - 2 * RESTORABLE
    await user.save()
    assert await accounts.cleanups["users"]() == 1
    assert (await watch.changes(2))[1] == {"purged_id": str(user.id)}


async def test_changes_by_other_processes_are_told(
    service: Reflected, resources: Resources
) -> None:
    user = await User.create(email="ada@example.com")
    watch = await service.watch()
    channel, message = "myapp:accounts", str(user.id)
    await resources.redis.publish(channel, message)
    assert (await watch.changes(1))[0]["account"]["id"] == str(user.id)


async def test_a_change_that_was_only_told_as_an_event_is_told(
    service: Reflected, resources: Resources
) -> None:
    """Whoever changed it died between the commit and the announcement."""
    user = await User.create(email="ada@example.com")
    watch = await service.watch()
    event = Event.of(UserUpdated.model_validate(user), user_id=user.id)
    await resources.hub.publish(event)
    assert (await watch.changes(1))[0]["account"]["id"] == str(user.id)


async def test_other_events_are_none_of_its_business(
    service: Reflected, resources: Resources
) -> None:
    user = await User.create(email="ada@example.com")
    watch = await service.watch()
    for user_id in (user.id, None):
        await resources.hub.publish(Event("test.other", b"{}", user_id))
    assert await watch.changes(1, seconds=0.3) == []


async def test_it_tells_nothing_of_before(service: Reflected, accounts: UserModule) -> None:
    user = await User.create(email="ada@example.com")
    await accounts.profile.change(user.id, ProfileChanges(name="before"))
    watch = await service.watch()
    await accounts.profile.change(user.id, ProfileChanges(name="after"))
    await watch.changes(1)
    changes = await watch.changes(2, seconds=0.3)
    assert [change["account"]["name"] for change in changes] == ["after"]


async def test_every_watcher_is_told(service: Reflected, accounts: UserModule) -> None:
    user = await User.create(email="ada@example.com")
    watches = [await service.watch() for _ in range(3)]
    await accounts.profile.change(user.id, ProfileChanges(name="Ada"))
    for watch in watches:
        assert len(await watch.changes(1)) == 1


async def test_it_ends_as_unavailable_at_a_stop(service: Reflected, role: Role) -> None:
    watch = await service.watch()
    role.stop.set()
    outcome = await watch.end()
    assert outcome["code"] == "UNAVAILABLE"
    assert outcome["text"] == "The server is stopping"


async def test_it_ends_when_its_key_is_revoked(
    stranger: Reflected, key: Key, resources: Resources
) -> None:
    watch = await stranger.with_metadata(await key(Scope.ACCOUNTS_READ)).watch()
    revoked = await ApiKey.get()
    revoked.revoked_at = datetime.now(UTC)
    await revoked.save()
    await resources.api_keys.announce(revoked.public_id)
    outcome = await watch.end()
    assert outcome["code"] == "UNAUTHENTICATED"


class TestWithoutRedis:
    @pytest.fixture
    def redis_url(self, own_valkey: Valkey) -> str:
        return own_valkey.url

    async def test_it_ends_and_comes_back_with_it(
        self, service: Reflected, own_valkey: Valkey, resources: Resources
    ) -> None:
        watch = await service.watch()
        own_valkey.kill()
        outcome = await watch.end()
        assert outcome["code"] == "UNAVAILABLE"
        assert outcome["text"] == "Changes may have been missed: watch and list again"
        assert (await (await service.watch()).end())["code"] == "UNAVAILABLE"
        assert (await service.call("ListAccounts"))["code"] == "OK"
        own_valkey.start()
        while not resources.bus.connected:  # noqa: ASYNC110  # it looks from outside
            await asyncio.sleep(0.05)
        assert await (await service.watch()).end(seconds=0.3) is None
