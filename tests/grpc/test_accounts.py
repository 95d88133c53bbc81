"""The account service, seen by a grpcio client that is built from reflection alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from myapp.config import Rate
from myapp.database.api_key import ApiKey, Scope
from myapp.database.audit import AuditRecord
from myapp.database.connection import transaction
from myapp.database.user import User
from myapp.enums import UserRole, UserStatus
from myapp.grpc.account_service import SCOPES
from myapp.grpc.generated.account_pb2 import DESCRIPTOR
from myapp.identity.key_format import make_key, new_public_id
from myapp.resources import Resources
from tests.conftest import SignIn
from tests.grpc.conftest import Key
from tests.grpc.reflected import Reflected
from tests.grpc.role import Role
from tests.support.hubs import until

UNKNOWN = "0199aaaa-0000-7000-8000-000000000000"
UUID_FAULT = "is no account id, which is a UUID"
PAGE = 20


async def make_users(count: int, **fields: Any) -> list[User]:
    """Users of the same moment, in the order in which they are listed."""
    made = [
        await User.create(email=f"user{number}@example.com", **fields) for number in range(count)
    ]
    return sorted(made, key=lambda user: (user.created_at, user.id))


def ids_of(answer: Any) -> list[str]:
    return [account["id"] for account in answer.get("accounts", [])]


class TestKeys:
    @pytest.mark.parametrize("path", SCOPES)
    async def test_no_method_answers_without_a_key(self, stranger: Reflected, path: str) -> None:
        method = path.rpartition("/")[2]
        if method == "WatchAccounts":
            outcome = await (await stranger.watch()).end()
        else:
            outcome = await stranger.call(method)
        assert outcome["code"] == "UNAUTHENTICATED"
        assert outcome["text"] == "Send an API key as x-api-key"
        assert outcome["reason"] == "myapp/UNAUTHENTICATED"

    async def test_a_key_that_is_none_is_refused(self, stranger: Reflected, key: Key) -> None:
        mistyped = (await key(Scope.ACCOUNTS_READ))["x-api-key"][:-1] + "_"
        for text in ("", "nonsense", mistyped):
            client = stranger.with_metadata({"x-api-key": text})
            assert (await client.call("GetAccount", id=UNKNOWN))["code"] == "UNAUTHENTICATED"

    async def test_a_revoked_key_is_refused(
        self, stranger: Reflected, key: Key, resources: Resources
    ) -> None:
        client = stranger.with_metadata(await key(Scope.ACCOUNTS_READ))
        assert (await client.call("GetAccount", id=UNKNOWN))["code"] == "NOT_FOUND"
        await revoke(resources)
        assert (await client.call("GetAccount", id=UNKNOWN))["code"] == "UNAUTHENTICATED"

    async def test_reading_takes_a_key_that_may_read(self, stranger: Reflected, key: Key) -> None:
        others = [scope for scope in Scope if scope is not Scope.ACCOUNTS_READ]
        client = stranger.with_metadata(await key(*others))
        outcome = await client.call("GetAccount", id=UNKNOWN)
        assert outcome["code"] == "PERMISSION_DENIED"
        assert outcome["text"] == "This takes a key with the scope accounts:read"

    async def test_writing_takes_a_key_that_may_write(self, stranger: Reflected, key: Key) -> None:
        client = stranger.with_metadata(await key(Scope.ACCOUNTS_READ))
        outcome = await client.call("UpdateAccountStatus", id=UNKNOWN, status=2)
        assert outcome["code"] == "PERMISSION_DENIED"
        assert outcome["text"] == "This takes a key with the scope accounts:write"

    def test_every_method_has_its_scope(self) -> None:
        service = DESCRIPTOR.services_by_name["AccountService"]
        paths = {f"/{service.full_name}/{method.name}" for method in service.methods}
        assert set(SCOPES) == paths


class TestRateLimit:
    @pytest.fixture
    def changes(self) -> dict[str, Any]:
        return {"drain_seconds": 0.0, "rate_limit_key": Rate(2, 3600)}

    async def test_a_key_that_calls_too_often_is_told_when_to_come_back(
        self, service: Reflected, stranger: Reflected, key: Key
    ) -> None:
        for _ in range(2):
            assert (await service.call("ListAccounts"))["code"] == "OK"
        outcome = await service.call("ListAccounts")
        assert outcome["code"] == "RESOURCE_EXHAUSTED"
        assert outcome["reason"] == "myapp/RATE_LIMITED"
        assert outcome["retry"] >= 1
        other = stranger.with_metadata(await key(Scope.ACCOUNTS_READ))
        assert (await other.call("ListAccounts"))["code"] == "OK"


class TestFailedSignIn:
    @pytest.fixture
    def changes(self) -> dict[str, Any]:
        return {"drain_seconds": 0.0, "rate_limit_failed_sign_in": Rate(3, 3600)}

    async def test_refuses_keys_that_are_not_known_at_that_address(
        self, service: Reflected, stranger: Reflected, key: Key
    ) -> None:
        assert (await service.call("ListAccounts"))["code"] == "OK"
        guesses = [
            await stranger.with_metadata({"x-api-key": make_key(new_public_id())}).call(
                "ListAccounts"
            )
            for _ in range(10)
        ]
        codes = [outcome["code"] for outcome in guesses]
        assert codes == ["UNAUTHENTICATED"] * 3 + ["RESOURCE_EXHAUSTED"] * 7
        assert guesses[-1]["reason"] == "myapp/RATE_LIMITED"
        assert guesses[-1]["retry"] >= 1
        other = stranger.with_metadata(await key(Scope.ACCOUNTS_READ))
        assert (await other.call("ListAccounts"))["code"] == "RESOURCE_EXHAUSTED"
        assert (await stranger.call("ListAccounts"))["code"] == "UNAUTHENTICATED"  # without a key
        assert (await service.call("ListAccounts"))["code"] == "OK"

    async def test_does_not_count_streams_that_end_with_their_key(
        self, service: Reflected, stranger: Reflected, key: Key, resources: Resources
    ) -> None:
        streams = [await service.watch() for _ in range(4)]
        await revoke(resources)
        for stream in streams:
            assert (await stream.end(seconds=30))["code"] == "UNAUTHENTICATED"
        other = stranger.with_metadata(await key(Scope.ACCOUNTS_READ))
        assert (await other.call("ListAccounts"))["code"] == "OK"


class TestGetAccount:
    async def test_it_has_the_fields_of_a_user(self, service: Reflected) -> None:
        user = await User.create(
            email="ada@example.com", name="Ada", phone="+12015550123", avatar_key="avatars/a"
        )
        outcome = await service.call("GetAccount", id=str(user.id))
        account = outcome["answer"]["account"]
        assert "avatars" in account.pop("avatar_url")
        moment = datetime.fromisoformat(account.pop("created_at"))
        assert moment == user.created_at
        assert account == {
            "id": str(user.id),
            "email": "ada@example.com",
            "name": "Ada",
            "phone": "+12015550123",
            "status": "ACCOUNT_STATUS_ACTIVE",
            "role": "ACCOUNT_ROLE_USER",
        }

    async def test_what_nobody_knows_is_left_out(self, service: Reflected) -> None:
        user = await User.create(role=UserRole.ADMIN, status=UserStatus.DELETED)
        account = (await service.call("GetAccount", id=str(user.id)))["answer"]["account"]
        assert set(account) == {"id", "status", "role", "created_at"}
        assert account["status"] == "ACCOUNT_STATUS_DELETED"
        assert account["role"] == "ACCOUNT_ROLE_ADMIN"

    async def test_an_unknown_one_is_not_found(self, service: Reflected) -> None:
        outcome = await service.call("GetAccount", id=UNKNOWN)
        assert outcome["code"] == "NOT_FOUND"
        assert outcome["text"] == "There is no such user"
        assert outcome["reason"] == "myapp/NOT_FOUND"

    @pytest.mark.parametrize("text", ["", "nonsense", "{" + UNKNOWN + "}", UNKNOWN[:-1]])
    async def test_what_is_no_id_is_invalid(self, service: Reflected, text: str) -> None:
        outcome = await service.call("GetAccount", id=text)
        assert outcome["code"] == "INVALID_ARGUMENT"
        assert outcome["fields"] == {"id": UUID_FAULT}


class TestBatchGetAccounts:
    async def test_they_come_in_the_order_of_the_request_with_the_missing_ones_named(
        self, service: Reflected
    ) -> None:
        one, two, three = [str(user.id) for user in await make_users(3)]
        asked = [three, UNKNOWN, one, str(uuid4()), two, three]
        answer = (await service.call("BatchGetAccounts", ids=asked))["answer"]
        assert ids_of(answer) == [three, one, two, three]
        assert answer["missing_ids"] == [UNKNOWN, asked[3]]

    async def test_none_are_none(self, service: Reflected) -> None:
        assert (await service.call("BatchGetAccounts"))["answer"] == {}

    async def test_what_is_no_id_is_named(self, service: Reflected) -> None:
        outcome = await service.call("BatchGetAccounts", ids=[UNKNOWN, "x"])
        assert outcome["code"] == "INVALID_ARGUMENT"
        assert outcome["fields"] == {"ids[1]": UUID_FAULT}

    async def test_a_hundred_are_the_limit(self, service: Reflected) -> None:
        ids = [str(uuid4()) for _ in range(101)]
        outcome = await service.call("BatchGetAccounts", ids=ids)
        assert outcome["fields"] == {"ids": "has more than 100 ids"}
        answer = (await service.call("BatchGetAccounts", ids=ids[1:]))["answer"]
        assert answer["missing_ids"] == ids[1:]


class TestListAccounts:
    async def test_pages_are_complete_and_in_order(self, service: Reflected) -> None:
        users = await make_users(7)
        listed: list[str] = []
        sizes: list[int] = []
        token = ""
        while not sizes or token:
            outcome = await service.call("ListAccounts", page_size=3, page_token=token)
            listed += ids_of(outcome["answer"])
            sizes.append(len(outcome["answer"]["accounts"]))
            token = outcome["answer"].get("next_page_token", "")
        assert listed == [str(user.id) for user in users]
        assert sizes == [3, 3, 1]

    async def test_accounts_of_one_moment_are_neither_lost_nor_repeated(
        self, service: Reflected
    ) -> None:
        users = await make_users(5)
        await User.all().update(created_at=users[0].created_at)
        listed, token = [], ""
        for _ in range(5):
            answer = (await service.call("ListAccounts", page_size=1, page_token=token))["answer"]
            listed += ids_of(answer)
            token = answer.get("next_page_token", "")
        assert listed == sorted(str(user.id) for user in users)
        assert token == ""

    async def test_they_are_stable_while_accounts_come_and_go(self, service: Reflected) -> None:
        users = await make_users(6)
        first = (await service.call("ListAccounts", page_size=3))["answer"]
        await users[0].delete()
        await users[2].delete()
        late = await User.create(email="late@example.com")
        second = await service.call(
            "ListAccounts", page_size=50, page_token=first["next_page_token"]
        )
        assert ids_of(second["answer"]) == [str(user.id) for user in [*users[3:], late]]

    async def test_the_size_is_twenty_unless_given_and_a_hundred_at_most(
        self, service: Reflected
    ) -> None:
        await make_users(101)
        for asked, given in ((0, 20), (7, 7), (1000, 100)):
            answer = (await service.call("ListAccounts", page_size=asked))["answer"]
            assert len(answer["accounts"]) == given
            assert answer["next_page_token"]

    async def test_a_negative_size_is_invalid(self, service: Reflected) -> None:
        outcome = await service.call("ListAccounts", page_size=-1)
        assert outcome["fields"] == {"page_size": "is negative"}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", ["ada@example.com", "bob@example.org", "eve@example.com"]),
            ("status=active", ["ada@example.com", "bob@example.org"]),
            ("status=suspended", ["eve@example.com"]),
            ("status=deleted", ["old@example.com"]),
            ("role=admin", ["bob@example.org"]),
            ("role=user status=ACTIVE", ["ada@example.com"]),
            ("email:EXAMPLE.com", ["ada@example.com", "eve@example.com"]),
            ('email : "a@e" AND status = "active"', ["ada@example.com"]),
            ("email:%", []),
            ("email:Someone", []),  # that is a name
        ],
    )
    async def test_a_filter_holds_in_all_its_terms(
        self, service: Reflected, text: str, expected: list[str]
    ) -> None:
        await User.create(email="ada@example.com", name="Someone")
        await User.create(email="bob@example.org", role=UserRole.ADMIN)
        await User.create(email="eve@example.com", status=UserStatus.SUSPENDED)
        await User.create(email="old@example.com", status=UserStatus.DELETED)
        answer = (await service.call("ListAccounts", filter=text))["answer"]
        assert sorted(account["email"] for account in answer.get("accounts", [])) == expected

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("status=lost", "has an unknown status; there are active, suspended, deleted"),
            ("role=root", "has an unknown role; there are user, admin"),
            ("name:ada", "has no name:; it takes status=, role= and email:"),
            ("email=ada", "has no email=; it takes status=, role= and email:"),
            ("role=user role=admin", "names role twice"),
            ("email:", "cannot be read from here on: email:"),
            ('role=user email:""', 'cannot be read from here on: email:""'),
            ("role=user AND", "cannot be read from here on: AND"),
            ("role=user OR role=admin", "cannot be read from here on: OR role=admin"),
            ("role=user,status=active", "has an unknown role; there are user, admin"),
            ("a\x00b", "has over 1000 characters, or some that are no text"),
            ("e" * 1001, "has over 1000 characters, or some that are no text"),
        ],
    )
    async def test_a_filter_that_is_none_says_where(
        self, service: Reflected, text: str, fault: str
    ) -> None:
        outcome = await service.call("ListAccounts", filter=text)
        assert outcome["code"] == "INVALID_ARGUMENT"
        assert outcome["fields"] == {"filter": fault}

    async def test_a_page_token_is_good_for_its_filter_alone(self, service: Reflected) -> None:
        await make_users(3)
        token = (await service.call("ListAccounts", page_size=1, filter="role=user"))["answer"][
            "next_page_token"
        ]
        outcome = await service.call("ListAccounts", page_token=token)
        assert outcome["code"] == "INVALID_ARGUMENT"
        assert outcome["fields"] == {"page_token": "belongs to another filter"}

    async def test_a_page_token_of_ones_own_is_refused(self, service: Reflected) -> None:
        await make_users(2)
        token = (await service.call("ListAccounts", page_size=1))["answer"]["next_page_token"]
        for forged in ("x", "x.y", token[1:], token[:-1], token.swapcase(), "é"):
            outcome = await service.call("ListAccounts", page_token=forged)
            assert outcome["fields"] == {"page_token": "is none that this service made"}


class TestVerifyToken:
    async def test_a_token_names_its_account_which_it_makes(
        self, service: Reflected, sign_in: SignIn
    ) -> None:
        answer = (await service.call("VerifyToken", token=token_of(sign_in)))["answer"]
        user = await User.get()
        assert answer["account"]["id"] == str(user.id)
        assert answer["account"]["email"] == "ada@example.com"
        assert datetime.fromisoformat(answer["expires_at"]) > datetime.now(UTC)

    @pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "é"])
    async def test_what_is_no_token_is_told_from_a_bad_key(
        self, service: Reflected, token: str
    ) -> None:
        outcome = await service.call("VerifyToken", token=token)
        assert outcome["code"] == "UNAUTHENTICATED"
        assert outcome["fields"] == {"token": "The token is malformed"}

    async def test_an_expired_token_is_refused(self, service: Reflected, sign_in: SignIn) -> None:
        token = token_of(sign_in, expires_in=-1)
        outcome = await service.call("VerifyToken", token=token)
        assert outcome["code"] == "UNAUTHENTICATED"
        assert outcome["fields"] == {"token": "The token has expired"}

    @pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.DELETED])
    async def test_an_account_that_may_not_be_used_is_refused_with_the_reason(
        self, service: Reflected, sign_in: SignIn, resources: Resources, status: UserStatus
    ) -> None:
        token = token_of(sign_in)
        await service.call("VerifyToken", token=token)
        user = await User.get()
        user.status = status
        await user.save()
        await resources.accounts.announce(user.id)
        outcome = await service.call("VerifyToken", token=token)
        assert outcome["code"] == "PERMISSION_DENIED"
        assert outcome["reason"] == f"myapp/ACCOUNT_{status.upper()}"


class TestUpdateAccountStatus:
    async def test_it_suspends_and_lifts_with_an_audit_record(
        self, service: Reflected, resources: Resources
    ) -> None:
        (user,) = await make_users(1)
        for status in ("SUSPENDED", "ACTIVE"):
            outcome = await service.call(
                "UpdateAccountStatus", id=str(user.id), status=f"ACCOUNT_STATUS_{status}"
            )
            assert outcome["answer"]["account"]["status"] == f"ACCOUNT_STATUS_{status}"
        records = await AuditRecord.all().order_by("created_at", "id")
        mine = [record for record in records if record.target_type == "user"]
        assert [record.action for record in mine] == ["user.suspended", "user.reactivated"]
        caller = await ApiKey.get()
        assert {(record.actor_type.value, record.actor_id) for record in mine} == {
            ("api_key", str(caller.id))
        }
        assert mine[0].address == "127.0.0.1"
        assert mine[0].request_id

    async def test_who_is_suspended_loses_access_at_once(
        self, service: Reflected, sign_in: SignIn
    ) -> None:
        token = token_of(sign_in)
        account = (await service.call("VerifyToken", token=token))["answer"]["account"]
        await service.call("UpdateAccountStatus", id=account["id"], status=2)
        assert (await service.call("VerifyToken", token=token))["code"] == "PERMISSION_DENIED"

    @pytest.mark.parametrize("status", ["ACCOUNT_STATUS_UNSPECIFIED", "ACCOUNT_STATUS_DELETED", 99])
    async def test_any_other_status_is_invalid(self, service: Reflected, status: str | int) -> None:
        (user,) = await make_users(1)
        outcome = await service.call("UpdateAccountStatus", id=str(user.id), status=status)
        assert outcome["code"] == "INVALID_ARGUMENT"
        assert outcome["fields"] == {"status": "is neither active nor suspended"}
        assert (await User.get()).status is UserStatus.ACTIVE

    async def test_an_unknown_account_is_not_found(self, service: Reflected) -> None:
        outcome = await service.call("UpdateAccountStatus", id=UNKNOWN, status=2)
        assert outcome["code"] == "NOT_FOUND"

    async def test_a_deleted_account_and_the_last_administrator_stay_as_they_are(
        self, service: Reflected
    ) -> None:
        deleted = await User.create(status=UserStatus.DELETED)
        last = await User.create(role=UserRole.ADMIN)
        for user, text in (
            (deleted, "This user is deleted; restore it first"),
            (last, "This is the last active administrator"),
        ):
            outcome = await service.call("UpdateAccountStatus", id=str(user.id), status=2)
            assert outcome["code"] == "FAILED_PRECONDITION"
            assert outcome["text"] == text
            assert outcome["reason"] == "myapp/CONFLICT"


class TestDeadline:
    async def test_it_reaches_the_database_and_nothing_is_changed(
        self, service: Reflected, resources: Resources
    ) -> None:
        heard: list[UUID | None] = []
        resources.accounts.on_change(heard.append)
        (user,) = await make_users(1)
        await service.call("GetAccount", id=str(user.id))  # the key is known from here on
        async with held(user):
            number = await service.begin(
                "UpdateAccountStatus", {"id": str(user.id), "status": 2}, timeout=2
            )
            outcome = (await service.finish(number))[0]
            assert outcome["code"] == "DEADLINE_EXCEEDED"
            await asyncio.sleep(0.2)  # a call that was only given up would do its work after this
        await asyncio.sleep(0.2)
        assert (await User.get()).status is UserStatus.ACTIVE
        assert await AuditRecord.filter(target_type="user").count() == 0
        # Nobody can tell a commit that was cut off from one that was not.
        await until(lambda: user.id in heard)
        again = await service.call("UpdateAccountStatus", id=str(user.id), status=2)
        assert again["code"] == "OK"


class TestManyCalls:
    async def test_five_hundred_at_once_are_all_answered(self, service: Reflected) -> None:
        (user,) = await make_users(1)
        number = await service.begin("GetAccount", {"id": str(user.id)}, times=500)
        outcomes = await service.finish(number)
        assert [outcome["code"] for outcome in outcomes] == ["OK"] * 500

    async def test_a_message_of_twenty_megabytes_is_refused(self, service: Reflected) -> None:
        outcome = await service.call("VerifyToken", token="x" * 20_000_000)
        assert outcome["code"] == "RESOURCE_EXHAUSTED"
        assert (await service.call("ListAccounts"))["code"] == "OK"


class TestMetrics:
    async def test_calls_are_counted_by_method_and_code(
        self, service: Reflected, resources: Resources
    ) -> None:
        for _ in range(2):
            await service.call("GetAccount", id=UNKNOWN)
        path = "/myapp.account.v1.AccountService/GetAccount"
        labels = {"method": path, "code": "NOT_FOUND"}
        read = resources.metrics.get_sample_value
        await until(lambda: read("grpc_calls_total", labels) == 2)
        assert read("grpc_call_duration_seconds_count", {"method": path}) == 2


async def test_a_stop_lets_calls_finish_that_had_begun(
    service: Reflected, role: Role, resources: Resources
) -> None:
    (user,) = await make_users(1)
    await service.call("GetAccount", id=str(user.id))  # its reflection is over from here on
    async with held(user):
        number = await service.begin("UpdateAccountStatus", {"id": str(user.id), "status": 2})
        await until(lambda: resources.metrics.get_sample_value("grpc_calls_in_flight") == 1)
        role.stop.set()
        await asyncio.sleep(0.2)
        assert not role.ended.done()
    assert (await service.finish(number))[0]["code"] == "OK"


def token_of(sign_in: SignIn, **claims: Any) -> str:
    return sign_in("ada@example.com", **claims)["Authorization"].removeprefix("Bearer ")


@asynccontextmanager
async def held(user: User) -> AsyncIterator[None]:
    """Somebody else is in the middle of a change of this account."""
    async with transaction():
        await User.lock(user.id)
        yield


async def revoke(resources: Resources) -> None:
    key = await ApiKey.get()
    key.revoked_at = datetime.now(UTC)
    await key.save()
    await resources.api_keys.announce(key.public_id)
