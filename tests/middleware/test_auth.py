"""Who may pass, by the policies that routes choose from."""

import pytest
from httpx import AsyncClient

from myapp.database.api_key import Scope
from myapp.registry import Features
from tests.conftest import Headers, SignIn
from tests.support.people import enter, enter_admin, issue_key

GOOD_SCOPE, OTHER_SCOPE = Scope.EVENTS_PUBLISH, Scope.METRICS_READ
# By who asks: what each policy answers.
ANSWERS = {
    "nobody": {"user": 401, "admin": 401, "key": 401, "anybody": 200},
    "user": {"user": 200, "admin": 403, "key": 403, "anybody": 200},
    "admin": {"user": 200, "admin": 200, "key": 200, "anybody": 200},
    "service": {"user": 403, "admin": 403, "key": 200, "anybody": 403},
    "other service": {"user": 403, "admin": 403, "key": 403, "anybody": 403},
    "bad token": dict.fromkeys(("user", "admin", "key", "anybody"), 401),
    "bad key": dict.fromkeys(("user", "admin", "key", "anybody"), 401),
    "no key": dict.fromkeys(("user", "admin", "key", "anybody"), 401),
    "both": dict.fromkeys(("user", "admin", "key", "anybody"), 400),
}


@pytest.fixture
async def callers(client: AsyncClient, sign_in: SignIn, features: Features) -> dict[str, Headers]:
    service = await issue_key(features, GOOD_SCOPE)
    user = (await enter(client, sign_in, "eve@example.com")).headers
    return {
        "nobody": {},
        "user": user,
        "admin": (await enter_admin(client, sign_in)).headers,
        "service": service,
        "other service": await issue_key(features, OTHER_SCOPE),
        "bad token": {"Authorization": "Bearer abc.def.ghi"},
        "bad key": {"X-API-Key": service["X-API-Key"][:-1] + "!"},
        "no key": {"X-API-Key": ""},
        "both": {**user, **service},
    }


@pytest.mark.parametrize("asking", ANSWERS)
async def test_each_policy_lets_in_whom_it_should(
    client: AsyncClient, callers: dict[str, Headers], asking: str
) -> None:
    for policy, status in ANSWERS[asking].items():
        answer = await client.get(f"/as/{policy}", headers=callers[asking])
        assert answer.status_code == status, (asking, policy)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)


async def test_the_audit_log_knows_a_service_by_its_key(
    client: AsyncClient, callers: dict[str, Headers]
) -> None:
    answer = (await client.get("/as/key", headers=callers["service"])).json()
    assert (answer["type"], answer["address"]) == ("api_key", "127.0.0.1")


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-User", "X-User-Id"]
)
async def test_no_header_makes_somebody_another_or_elsewhere(
    client: AsyncClient, callers: dict[str, Headers], header: str
) -> None:
    plain = (await client.get("/as/user", headers=callers["user"])).json()
    headers = {**callers["user"], header: "for=10.0.0.1"}
    assert (await client.get("/as/user", headers=headers)).json() == plain
