"""Section 7, by a client that knows of the service what reflection says.

Deadlines, sizes, garbage, TLS, health, and that reflection takes no key: tests/grpc. The end in the
middle of calls: tests/e2e/test_grpc.py.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.grpc.reflected import DriverProcess, running_driver
from tests.support.outside import Headers, Outside, data_of, refused, wait_until

pytestmark = pytest.mark.xdist_group("contract")

NOBODY = "0198aaaa-0000-7000-8000-000000000000"
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def driver() -> Iterator[DriverProcess]:
    with running_driver() as driver:
        yield driver


@pytest.fixture(scope="module")
def reader(service: Outside) -> Headers:
    return service.key("accounts:read")


@pytest.fixture(scope="module")
def writer(service: Outside) -> Headers:
    return service.key("accounts:write")


@pytest.fixture
def call(service: Outside, driver: DriverProcess, reader: Headers) -> Call:
    """Calls a method and gives its outcome, as a reader unless another key is given."""

    def make(method: str, key: Headers | None = reader, **request: Any) -> Any:
        metadata = [(name.lower(), value) for name, value in (key or {}).items()]
        number = driver.do(
            "begin",
            times=1,
            address=service.program.address("grpc"),
            method=method,
            request=request,
            metadata=metadata,
            timeout=30,
        )
        return driver.do("finish", number=number)[0]

    return make


class TestAccount:
    def test_has_the_fields_of_a_user(self, service: Outside, call: Call) -> None:
        ada = service.person()
        full = {"name": "Ada", "phone": "+14155552671"}
        user = data_of(service.api.put("/auth/me", headers=ada.headers, json=full))
        account = call("GetAccount", id=ada.id)["answer"]["account"]
        assert account.pop("status") == "ACCOUNT_STATUS_ACTIVE"
        assert account.pop("role") == "ACCOUNT_ROLE_USER"
        assert account == {name: user[name] for name in account}
        assert set(account) == {"id", "email", "name", "phone", "created_at"}

    def test_that_is_unknown_is_not_found(self, call: Call) -> None:
        assert call("GetAccount", id=NOBODY)["code"] == "NOT_FOUND"
        assert call("GetAccount", id="odd")["code"] == "INVALID_ARGUMENT"


class TestKeys:
    def test_are_needed(self, call: Call) -> None:
        for key in (None, {"X-API-Key": "odd"}):
            assert call("GetAccount", key, id=NOBODY)["code"] == "UNAUTHENTICATED"

    def test_have_scopes(
        self, service: Outside, call: Call, reader: Headers, writer: Headers
    ) -> None:
        ada = service.person()
        change = {"id": ada.id, "status": 2}
        assert call("UpdateAccountStatus", reader, **change)["code"] == "PERMISSION_DENIED"
        for method, request in (
            ("GetAccount", {"id": ada.id}),
            ("BatchGetAccounts", {"ids": [ada.id]}),
            ("ListAccounts", {}),
            ("VerifyToken", {"token": ada.token}),
        ):
            assert call(method, writer, **request)["code"] == "PERMISSION_DENIED", method
            assert call(method, reader, **request)["code"] == "OK", method


class TestBatch:
    def test_is_in_the_order_of_the_request_and_names_what_is_missing(
        self, service: Outside, call: Call
    ) -> None:
        ada, bob = service.person(), service.person()
        answer = call("BatchGetAccounts", ids=[bob.id, NOBODY, ada.id])["answer"]
        assert [account["id"] for account in answer["accounts"]] == [bob.id, ada.id]
        assert answer["missing_ids"] == [NOBODY]


class TestList:
    def test_comes_in_pages(self, service: Outside, call: Call) -> None:
        people = [service.person(f"page{number}@list.example") for number in range(3)]
        first = call("ListAccounts", page_size=2, filter="email:list.example")["answer"]
        second = call(
            "ListAccounts",
            page_size=2,
            filter="email:list.example",
            page_token=first["next_page_token"],
        )["answer"]
        assert "next_page_token" not in second
        ids = [account["id"] for account in first["accounts"] + second["accounts"]]
        assert ids == [person.id for person in people]

    @pytest.mark.parametrize(
        "request_", [{"page_size": -1}, {"page_token": "odd"}, {"filter": "odd"}], ids=str
    )
    def test_of_what_makes_no_sense_is_an_invalid_argument(
        self, call: Call, request_: dict[str, Any]
    ) -> None:
        assert call("ListAccounts", **request_)["code"] == "INVALID_ARGUMENT"


class TestVerify:
    def test_tells_whose_token_it_is(self, service: Outside, call: Call) -> None:
        ada = service.person()
        answer = call("VerifyToken", token=ada.token)["answer"]
        assert answer["account"]["id"] == ada.id

    def test_of_a_bad_token_is_unauthenticated(self, call: Call) -> None:
        assert call("VerifyToken", token="odd")["code"] == "UNAUTHENTICATED"


class TestUpdateStatus:
    def test_is_the_same_change_as_over_http(
        self, service: Outside, call: Call, writer: Headers
    ) -> None:
        ada = service.person()
        answer = call("UpdateAccountStatus", writer, id=ada.id, status=2)["answer"]
        assert answer["account"]["status"] == "ACCOUNT_STATUS_SUSPENDED"
        me = service.api.get("/auth/me", headers=ada.headers)
        assert refused(me) == (403, "account_suspended")
        assert service.audit("user.suspended", ada.id)["actor_type"] == "api_key"
        assert call("VerifyToken", token=ada.token)["code"] == "PERMISSION_DENIED"
        assert call("UpdateAccountStatus", writer, id=ada.id, status=1)["code"] == "OK"

    def test_takes_active_and_suspended(
        self, service: Outside, call: Call, writer: Headers
    ) -> None:
        for status in (0, 3):
            ended = call("UpdateAccountStatus", writer, id=service.person().id, status=status)
            assert ended["code"] == "INVALID_ARGUMENT"

    def test_of_a_deleted_account_is_a_failed_precondition(
        self, service: Outside, call: Call, writer: Headers
    ) -> None:
        ada = service.person()
        service.api.delete("/auth/me", headers=ada.headers)
        ended = call("UpdateAccountStatus", writer, id=ada.id, status=2)
        assert ended["code"] == "FAILED_PRECONDITION"
        assert "SELECT" not in ended["text"]


class TestWatch:
    def test_gives_the_changes_from_now_on(
        self, service: Outside, driver: DriverProcess, reader: Headers
    ) -> None:
        ada = service.person()
        number = driver.do(
            "watch",
            address=service.program.address("grpc"),
            method="WatchAccounts",
            request={},
            metadata=[("x-api-key", reader["X-API-Key"])],
            timeout=60,
        )
        service.api.put("/auth/me", headers=ada.headers, json={"name": "Ada"})

        def is_told() -> bool:
            changes = driver.do("changes", number=number, count=1, seconds=5)
            return (ada.id, "Ada") in [
                (change["account"]["id"], change["account"].get("name")) for change in changes
            ]

        wait_until(is_told)
