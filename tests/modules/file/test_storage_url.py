"""GET /storage/{key}: who holds the URL, and nobody else."""

import pytest
from httpx import AsyncClient

from tests.conftest import SignIn
from tests.modules.user.test_avatar import PNG


@pytest.fixture
def kind() -> str:
    """No other storage has URLs of ours."""
    return "local"


@pytest.fixture
async def url(client: AsyncClient, sign_in: SignIn) -> str:
    answer = await client.put("/auth/me/avatar", headers=sign_in(), content=PNG)
    found: str = answer.json()["data"]["avatar_url"]
    return found


async def test_answers_a_range(client: AsyncClient, url: str) -> None:
    answer = await client.get(url, headers={"Range": "bytes=1-3"})
    assert (answer.status_code, answer.content) == (206, b"PNG")


async def test_answers_304_to_who_has_it(client: AsyncClient, url: str) -> None:
    etag = (await client.get(url)).headers["ETag"]
    answer = await client.get(url, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_answers_head_without_the_bytes(client: AsyncClient, url: str) -> None:
    answer = await client.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(PNG))


async def test_lets_nothing_run(client: AsyncClient, url: str) -> None:
    answer = await client.get(url)
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "change",
    [
        ("signature=", "signature=0"),
        ("expires=1", "expires=9"),
        ("avatars/", "avatarz/"),
        ("?", "?x&"),
    ],
    ids=["signature", "expiry", "key", "none"],
)
async def test_refuses_a_url_that_was_changed(
    client: AsyncClient, url: str, change: tuple[str, str]
) -> None:
    status = (await client.get(url.replace(*change))).status_code
    assert status == (200 if change[0] == "?" else 403)


@pytest.mark.parametrize("key", ["x", "../secret.key", "%2e%2e/secret.key", "a/%00", "A" * 5000])
async def test_refuses_a_url_that_was_made_up(client: AsyncClient, key: str) -> None:
    answer = await client.get(f"/storage/{key}?expires=99999999999&signature=00")
    assert answer.status_code in (403, 404)
