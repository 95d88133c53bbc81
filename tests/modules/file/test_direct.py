"""POST /files/uploads, the signed request, and POST /files/{id}/complete."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from httpx import AsyncClient, Response

from myapp.database.file import File, StrayObject
from myapp.database.outbox import OutboxRow
from myapp.database.user import User
from myapp.enums import UserStatus
from myapp.modules.file import FileModule
from myapp.modules.file.usecases import FILE_BYTES
from myapp.registry import Features
from tests.modules.file.conftest import Leftovers
from tests.modules.file.test_upload import open_url
from tests.modules.user.test_avatar import PNG
from tests.support.people import Person

DOT = {"filename": "dot.png", "content_type": "image/png", "size": len(PNG)}
PAGE = b"<html><script>alert(1)</script>".ljust(len(PNG))


async def begin(
    client: AsyncClient, who: Person, new: Mapping[str, Any] = DOT
) -> tuple[str, dict[str, Any]]:
    """The file's id, and the request to send its bytes with."""
    answer = await client.post("/files/uploads", headers=who.headers, json=dict(new))
    assert answer.status_code == 201
    data = answer.json()["data"]
    return data["file"]["id"], data["upload"]


async def send(
    client: AsyncClient, request: Mapping[str, Any], content: bytes = PNG, **changes: str
) -> Response:
    """Sends the request as it stands, or with other headers or another URL."""
    url = changes.pop("url", request["url"])
    headers = request["headers"] | {name.replace("_", "-"): text for name, text in changes.items()}
    if url.startswith("/"):
        return await client.request(request["method"], url, content=content, headers=headers)
    async with AsyncClient() as other:
        return await other.request(request["method"], url, content=content, headers=headers)


async def complete(client: AsyncClient, who: Person, file_id: str) -> Response:
    return await client.post(f"/files/{file_id}/complete", headers=who.headers)


class TestBegin:
    async def test_gives_a_pending_file_that_cannot_be_read(
        self, client: AsyncClient, ada: Person
    ) -> None:
        file_id, request = await begin(client, ada)
        file = (await client.get(f"/files/{file_id}", headers=ada.headers)).json()["data"]
        assert (file["status"], file["url"], file["sha256"]) == ("pending", None, None)
        assert (file["filename"], file["size"]) == ("dot.png", len(PNG))
        assert request["method"] == "PUT"
        content = await client.get(f"/files/{file_id}/content", headers=ada.headers)
        assert content.status_code == 409

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"size": FILE_BYTES}, 201),
            ({"size": FILE_BYTES + 1}, 413),
            ({"size": -1}, 400),
            ({"size": "5"}, 400),
            ({"size": None}, 400),
            ({"content_type": "png"}, 400),
            ({"content_type": "a/b\r\nX: 1"}, 400),
            ({"filename": ""}, 400),
            ({"filename": 5}, 400),
            ({"other": 1}, 400),
        ],
    )
    @pytest.mark.parametrize("kind", ["local"], indirect=True)
    async def test_takes_what_makes_sense(
        self, client: AsyncClient, ada: Person, change: dict[str, Any], status: int
    ) -> None:
        answer = await client.post("/files/uploads", headers=ada.headers, json=DOT | change)
        assert answer.status_code == status

    async def test_keeps_a_harmless_name(self, client: AsyncClient, ada: Person) -> None:
        file_id, _ = await begin(client, ada, DOT | {"filename": "../../a\u202eb\n.png"})
        file = (await client.get(f"/files/{file_id}", headers=ada.headers)).json()["data"]
        assert file["filename"] == "ab.png"


class TestSend:
    async def test_nothing_but_what_was_announced_is_taken(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        _, request = await begin(client, ada)
        url = request["url"]
        for attempt in (
            send(client, request, PNG + b"x"),
            send(client, request, PNG[:-1]),
            send(client, request, PNG, Content_Type="text/html"),
            send(client, request, PNG, url=url[:-1] + ("0" if url[-1] != "0" else "1")),
            send(client, request, PNG, url=url.replace("uploads/", "files/")),
            send(client, request | {"method": "GET"}, b""),
        ):
            assert (await attempt).status_code == 403
        assert await stored() == []

    async def test_it_may_be_as_large_as_a_file(self, client: AsyncClient, ada: Person) -> None:
        content = PNG + bytes(3 * 1024 * 1024)
        file_id, request = await begin(client, ada, DOT | {"size": len(content)})
        assert (await send(client, request, content)).status_code == 200
        file = (await complete(client, ada, file_id)).json()["data"]
        assert (await open_url(client, file["url"])).content == content

    @pytest.mark.parametrize("kind", ["local"], indirect=True)
    async def test_a_url_that_has_expired_stores_nothing(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        _, request = await begin(client, ada)
        for change in (("expires=1", "expires=2"), ("expires=1", "expires=0"), ("expires=", "x=")):
            url = request["url"].replace(*change)
            assert (await send(client, request, url=url)).status_code == 403
        assert await stored() == []


class TestComplete:
    async def test_takes_over_what_was_sent(
        self, client: AsyncClient, ada: Person, stored: Leftovers, kind: str
    ) -> None:
        file_id, request = await begin(client, ada)
        assert (await send(client, request)).status_code == 200
        answer = await complete(client, ada, file_id)
        assert answer.status_code == 200
        file = answer.json()["data"]
        assert (file["id"], file["status"], file["size"]) == (file_id, "ready", len(PNG))
        assert (file["sha256"] is None) == (kind == "s3")
        got = await open_url(client, file["url"])
        assert (got.status_code, got.content) == (200, PNG)
        assert got.headers["Content-Disposition"] == 'inline; filename="dot.png"'
        assert len(await stored()) == 1

    async def test_again_changes_nothing(self, client: AsyncClient, ada: Person) -> None:
        file_id, request = await begin(client, ada)
        await send(client, request)
        first, second = [(await complete(client, ada, file_id)).json()["data"] for _ in range(2)]
        assert first | {"url": ""} == second | {"url": ""}

    async def test_of_many_at_once_all_succeed_and_one_object_is_left(
        self, client: AsyncClient, ada: Person, stored: Leftovers, clean_up: Any
    ) -> None:
        file_id, request = await begin(client, ada)
        await send(client, request)
        answers = await asyncio.gather(*(complete(client, ada, file_id) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5
        assert len(await stored()) == 1
        await clean_up()
        assert len(await stored()) == 1

    async def test_of_what_has_not_come_is_a_conflict(
        self, client: AsyncClient, ada: Person
    ) -> None:
        file_id, request = await begin(client, ada)
        assert (await complete(client, ada, file_id)).status_code == 409
        await send(client, request)
        assert (await complete(client, ada, file_id)).status_code == 200

    async def test_of_something_else_is_a_conflict_until_the_right_thing_is_sent(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        file_id, request = await begin(client, ada)
        assert (await send(client, request, PAGE)).status_code == 200
        answer = await complete(client, ada, file_id)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert len(await stored()) == 1
        assert (await File.get(id=file_id)).status == "pending"
        await send(client, request)
        assert (await complete(client, ada, file_id)).status_code == 200

    async def test_of_another_size_is_a_conflict(
        self, client: AsyncClient, ada: Person, features: Features, stored: Leftovers
    ) -> None:
        """Not every store takes the length for a part of the signature."""
        file_id, _ = await begin(client, ada)
        file = await File.get(id=file_id)

        async def more() -> AsyncIterator[bytes]:
            yield PNG + b"x"

        storage = features.get(FileModule).storage
        await storage.put(file.key, more(), content_type="image/png")
        assert (await complete(client, ada, file_id)).status_code == 409
        assert len(await stored()) == 1

    async def test_puts_the_file_out_of_reach_of_the_url(
        self, client: AsyncClient, ada: Person, stored: Leftovers, clean_up: Any
    ) -> None:
        file_id, request = await begin(client, ada)
        await send(client, request)
        file = (await complete(client, ada, file_id)).json()["data"]
        await send(client, request, PAGE)
        assert (await open_url(client, file["url"])).content == PNG
        assert len(await stored()) == 2
        await clean_up()  # also what is sent after all is over
        assert len(await stored()) == 1
        assert (await open_url(client, file["url"])).content == PNG

    async def test_of_a_file_that_is_deleted_meanwhile_leaves_nothing(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        for _ in range(5):
            file_id, request = await begin(client, ada)
            await send(client, request)
            path = f"/files/{file_id}"
            await asyncio.gather(
                complete(client, ada, file_id), client.delete(path, headers=ada.headers)
            )
            await client.delete(path, headers=ada.headers)
        assert (await stored(), await File.all().count()) == ([], 0)

    async def test_of_somebody_elses_file_finds_nothing(
        self, client: AsyncClient, ada: Person, eve: Person
    ) -> None:
        file_id, request = await begin(client, ada)
        await send(client, request)
        assert (await complete(client, eve, file_id)).status_code == 404


class TestUserMeanwhile:
    """Somebody was suspended in another process, which this one has not heard of yet."""

    async def suspend(self, who: Person) -> None:
        await User.filter(id=who.id).update(status=UserStatus.SUSPENDED)

    async def test_nothing_is_begun(self, client: AsyncClient, ada: Person) -> None:
        await self.suspend(ada)
        answer = await client.post("/files/uploads", headers=ada.headers, json=DOT)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_suspended")
        assert not await File.exists()
        assert not await StrayObject.exists()

    async def test_what_was_sent_is_not_taken_over_and_gone_after_a_day(
        self, client: AsyncClient, ada: Person, stored: Leftovers, clean_up: Any
    ) -> None:
        file_id, request = await begin(client, ada)
        await send(client, request)
        sent = await stored()
        await self.suspend(ada)
        answer = await complete(client, ada, file_id)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_suspended")
        assert (await File.get(id=file_id)).status == "pending"
        assert await stored() == sent
        assert not await OutboxRow.exists(name="file.ready")
        await clean_up()
        assert (await stored(), await StrayObject.all().count()) == ([], 0)


class TestAbandoned:
    async def test_an_upload_that_nobody_completes_is_gone_after_a_day(
        self, client: AsyncClient, ada: Person, stored: Leftovers, clean_up: Any
    ) -> None:
        for content in (PNG, PAGE):
            _, request = await begin(client, ada)
            await send(client, request, content)
        await clean_up()
        assert (await stored(), await StrayObject.all().count()) == ([], 0)

    async def test_a_pending_file_can_be_deleted(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        file_id, request = await begin(client, ada)
        await send(client, request)
        answer = await client.delete(f"/files/{file_id}", headers=ada.headers)
        assert answer.status_code == 200
        assert (await stored(), await File.all().count()) == ([], 0)
        assert (await complete(client, ada, file_id)).status_code == 404
