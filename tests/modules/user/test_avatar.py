"""PUT and DELETE /auth/me/avatar, and the picture's URL."""

import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import AsyncClient

from myapp.config import Settings
from myapp.registry import Features
from tests.conftest import Headers, SignIn


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
PIXEL = chunk(b"IDAT", zlib.compress(b"\x00\x00")) + chunk(b"IEND", b"")
PNG = b"\x89PNG\r\n\x1a\n" + HEADER + PIXEL
MEBIBYTE = 1024 * 1024


@pytest.fixture
def ada(sign_in: SignIn) -> Headers:
    return sign_in("ada@example.com")


def stored_files(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]


class TestReplace:
    async def test_gives_a_url_that_opens_without_credentials(
        self, client: AsyncClient, ada: Headers
    ) -> None:
        answer = await client.put("/auth/me/avatar", headers=ada, content=PNG)
        assert answer.status_code == 200
        picture = await client.get(answer.json()["data"]["avatar_url"])
        assert (picture.status_code, picture.content) == (200, PNG)
        assert picture.headers["Content-Type"] == "image/png"

    async def test_leaves_nothing_of_the_picture_before(
        self, client: AsyncClient, ada: Headers, settings: Settings
    ) -> None:
        for _ in range(3):
            await client.put("/auth/me/avatar", headers=ada, content=PNG)
        assert len(stored_files(settings)) == 1

    @pytest.mark.parametrize(
        "content", [b"", b"GIF89a", b"<html>", b"<svg/>", b"\x89PNG\r\n\x1a\n"]
    )
    async def test_refuses_what_is_no_picture(
        self, client: AsyncClient, ada: Headers, content: bytes, settings: Settings
    ) -> None:
        headers = ada | {"Content-Type": "image/png"}
        answer = await client.put("/auth/me/avatar", headers=headers, content=content)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
        assert stored_files(settings) == []

    async def test_takes_five_mebibytes(self, client: AsyncClient, ada: Headers) -> None:
        largest = PNG + bytes(5 * MEBIBYTE - len(PNG))
        answer = await client.put("/auth/me/avatar", headers=ada, content=largest)
        assert answer.status_code == 200

    @pytest.mark.parametrize("declared", [True, False], ids=["declared", "streamed"])
    async def test_refuses_one_byte_more(
        self, client: AsyncClient, ada: Headers, settings: Settings, *, declared: bool
    ) -> None:
        content = PNG + bytes(5 * MEBIBYTE - len(PNG) + 1)

        async def stream() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 65536):
                yield content[start : start + 65536]

        body = content if declared else stream()
        answer = await client.put("/auth/me/avatar", headers=ada, content=body)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert stored_files(settings) == []


class TestRemove:
    async def test_removes_the_picture_and_its_bytes(
        self, client: AsyncClient, ada: Headers, settings: Settings
    ) -> None:
        await client.put("/auth/me/avatar", headers=ada, content=PNG)
        answer = await client.delete("/auth/me/avatar", headers=ada)
        assert answer.json() == {"success": True, "data": None}
        assert (await client.get("/auth/me", headers=ada)).json()["data"]["avatar_url"] is None
        assert stored_files(settings) == []

    async def test_of_no_picture_is_no_error(self, client: AsyncClient, ada: Headers) -> None:
        assert (await client.delete("/auth/me/avatar", headers=ada)).status_code == 200


async def test_a_picture_that_cannot_be_removed_yet_is_not_forgotten(
    client: AsyncClient, ada: Headers, settings: Settings, features: Features
) -> None:
    """Storage is away as the picture is replaced; the hourly clean-up finds the old one."""
    await client.put("/auth/me/avatar", headers=ada, content=PNG)
    files, away = settings.data_dir / "files", settings.data_dir / "away"
    files.rename(away)
    assert (await client.delete("/auth/me/avatar", headers=ada)).status_code == 200
    away.rename(files)
    assert len(stored_files(settings)) == 1
    for _, module in features.modules:
        if "objects" in module.cleanups:
            await module.cleanups["objects"]()
    assert stored_files(settings) == []
