"""POST /auth/verify, and what counts as credentials anywhere."""

import base64
import json

import jwt
import pytest
from httpx import AsyncClient

from myapp.database.user import User
from tests.conftest import SignIn


def tamper(token: str) -> str:
    """The same token with another signature."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def unsigned(token: str) -> str:
    """The same claims under `alg: none`."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    return f"{header.decode().rstrip('=')}.{token.split('.')[1]}."


class TestVerify:
    async def test_answers_the_user_who_is_created_by_it(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        token = sign_in("ada@example.com")["Authorization"].removeprefix("Bearer ")
        answer = await client.post("/auth/verify", json={"token": token})
        assert answer.status_code == 200
        user = await User.get(email_key="ada@example.com")
        assert answer.json()["data"] == {
            "id": str(user.id),
            "email": "ada@example.com",
            "name": None,
            "phone": None,
            "avatar_url": None,
            "status": "active",
            "role": "user",
            "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
        }

    @pytest.mark.parametrize(
        "body",
        [{}, {"token": 5}, {"token": None}, {"token": "x", "role": "admin"}, [], "text"],
    )
    async def test_refuses_a_body_of_another_shape(self, client: AsyncClient, body: object) -> None:
        answer = await client.post("/auth/verify", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"\xff\xfe", b'{"token": "\\ud800"}', b"[" * 10_000, b'{"token": 1e400}'],
    )
    async def test_refuses_a_body_that_is_no_json(self, client: AsyncClient, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/auth/verify", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")

    async def test_refuses_a_body_that_is_not_declared_as_json(self, client: AsyncClient) -> None:
        answer = await client.post("/auth/verify", content=b'{"token": "x"}')
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


class TestCredentials:
    async def test_are_required(self, client: AsyncClient) -> None:
        answer = await client.get("/auth/me")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["code"] == "unauthenticated"

    async def test_with_another_signature_are_refused_after_the_right_one_was_used(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        token = sign_in()["Authorization"].removeprefix("Bearer ")
        assert (await client.get("/auth/me", headers=bearer(token))).status_code == 200
        assert (await client.get("/auth/me", headers=bearer(tamper(token)))).status_code == 401

    async def test_without_a_signature_are_refused(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        token = unsigned(sign_in()["Authorization"].removeprefix("Bearer "))
        assert (await client.get("/auth/me", headers=bearer(token))).status_code == 401

    async def test_that_have_expired_are_refused(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        answer = await client.get("/auth/me", headers=sign_in(expires_in=-1))
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer ",
            "Bearer abcde",
            "Bearer a.b.c",
            "Basic YWRhOnB3",
            "abcde",
            "Bearer " + "x" * 20_000,
            "Bearer \x00.\x00.\x00",
        ],
    )
    async def test_that_make_no_sense_are_refused(self, client: AsyncClient, header: str) -> None:
        answer = await client.get("/auth/me", headers={"Authorization": header})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")

    async def test_signed_by_another_secret_are_refused(self, client: AsyncClient) -> None:
        forged = jwt.encode({"sub": "local:1", "iat": 0, "exp": 2**33}, "x" * 32, "HS256")
        assert (await client.get("/auth/me", headers=bearer(forged))).status_code == 401

    async def test_of_two_kinds_at_once_are_refused(
        self, client: AsyncClient, sign_in: SignIn
    ) -> None:
        answer = await client.get("/auth/me", headers=sign_in() | {"X-API-Key": "myapp_x"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
