"""What the theft of one secret does not give: the others."""

import hashlib
from datetime import UTC, datetime
from uuid import uuid4

import jwt
import pytest
from httpx import AsyncClient
from redis.asyncio import Redis
from tortoise.models import Model

from myapp.database.api_key import ApiKey, Scope
from myapp.database.user import User
from myapp.errors import Invalid, Unauthenticated
from myapp.grpc.page_tokens import PageTokens
from myapp.identity.key_format import parse_key
from myapp.modules.user.usecases import Place
from myapp.registry import Features
from myapp.resources import Resources
from myapp.secrets import derive_key
from tests.conftest import SignIn
from tests.support.people import enter, enter_admin, issue_key


def fields_of(row: Model) -> dict[str, object]:
    """Every column."""
    return {name: getattr(row, name) for name in row._meta.db_fields}


class TestSecretKey:
    @pytest.mark.parametrize("purpose", ["", "page tokens", "identity", "signed URLs"])
    async def test_signs_no_identity_token(
        self, client: AsyncClient, resources: Resources, sign_in: SignIn, purpose: str
    ) -> None:
        """The local provider's key is another file; Firebase's never was here."""
        genuine = sign_in("ada@example.com")["Authorization"].split()[1]
        claims = jwt.decode(genuine, options={"verify_signature": False})
        header = jwt.get_unverified_header(genuine)
        secret = resources.secret
        key = derive_key(secret, purpose) if purpose else secret
        forged = jwt.encode(claims, key, algorithm="HS256", headers=header)
        answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {forged}"})
        assert answer.status_code == 401

    async def test_of_before_a_change_signs_nothing_any_more(self) -> None:
        place = Place(datetime.now(UTC), uuid4())
        token = PageTokens(b"o" * 32).write(place, bound_to="")
        assert PageTokens(b"o" * 32).read(token, bound_to="") == place
        with pytest.raises(Invalid):
            PageTokens(b"n" * 32).read(token, bound_to="")

    async def test_makes_no_api_key(self, features: Features) -> None:
        """What is stored of a key's secret is its hash: no key follows from it."""
        text = (await issue_key(features, Scope.EVENTS_PUBLISH))["X-API-Key"]
        stored = await ApiKey.get(public_id=parse_key(text).public_id)
        secret = text.rpartition("_")[2][:-6]
        assert hashlib.sha256(secret.encode()).hexdigest() in repr(fields_of(stored))
        assert secret not in repr(fields_of(stored))


class TestDatabase:
    async def test_hashes_are_no_keys(self, client: AsyncClient, features: Features) -> None:
        text = (await issue_key(features, Scope.EVENTS_PUBLISH))["X-API-Key"]
        stored = await ApiKey.get(public_id=parse_key(text).public_id)
        for value in fields_of(stored).values():
            with pytest.raises(Unauthenticated):
                parse_key(str(value))

    async def test_a_users_row_holds_nothing_to_sign_in_with(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        headers = sign_in("ada@example.com")
        ada = await enter(client, sign_in, "ada@example.com")
        row = repr(fields_of(await User.get(id=ada.id)))
        assert headers["Authorization"].split()[1][-20:] not in row


class TestRedis:
    async def test_what_it_holds_after_a_sign_in_signs_nobody_in(
        self, client: AsyncClient, resources: Resources, sign_in: SignIn
    ) -> None:
        """Every value and every key's end is tried as a token, a ticket and an API key."""
        ada = await enter(client, sign_in, "ada@example.com")
        await client.post("/events/ticket", headers=ada.headers)
        assert resources.settings.redis_url
        async with Redis.from_url(resources.settings.redis_url.get_secret_value()) as redis:
            keys = [key async for key in redis.scan_iter()]
            values = [await redis.get(key) for key in keys if await redis.type(key) == b"string"]
        loot = [key.rpartition(b":")[2] for key in keys] + [value for value in values if value]
        assert len(loot) >= 3
        for each in {piece.decode("latin-1") for piece in loot} - {""}:
            for headers in ({"Authorization": f"Bearer {each}"}, {"X-API-Key": each}):
                if each.isascii() and each.isprintable():
                    answer = await client.get("/auth/me", headers=headers)
                    assert answer.status_code in (401, 429), each
            answer = await client.get("/events", params={"ticket": each})
            assert answer.status_code in (401, 429), each


class TestAdministrator:
    async def test_can_change_no_audit_record(self, client: AsyncClient, sign_in: SignIn) -> None:
        root = await enter_admin(client, sign_in)
        document = (await client.get("/openapi.json")).json()
        audit = {path: each for path, each in document["paths"].items() if "audit" in path}
        assert [list(each) for each in audit.values()] == [["get"]]
        for method in ("DELETE", "PUT", "PATCH", "POST"):
            answer = await client.request(method, "/admin/audit-log", headers=root.headers)
            assert answer.status_code == 405

    async def test_sees_no_key_again(
        self, client: AsyncClient, sign_in: SignIn, features: Features
    ) -> None:
        root = await enter_admin(client, sign_in)
        text = (await issue_key(features, Scope.EVENTS_PUBLISH))["X-API-Key"]
        answer = await client.get("/admin/api-keys", headers=root.headers)
        assert parse_key(text).public_id in answer.text
        assert text.rpartition("_")[2][:16] not in answer.text

    async def test_cannot_act_as_somebody_else(self, client: AsyncClient, sign_in: SignIn) -> None:
        """No route gives an administrator another user's files, inbox or token."""
        ada = await enter(client, sign_in, "ada@example.com")
        root = await enter_admin(client, sign_in)
        form = {"file": ("a.txt", b"of adas own", "text/plain")}
        made = await client.post("/files", headers=ada.headers, files=form)
        file_id = made.json()["data"]["id"]
        for path in (f"/files/{file_id}", f"/files/{file_id}/content"):
            assert (await client.get(path, headers=root.headers)).status_code == 404
