"""GET /files, GET and DELETE /files/{id}, and the content."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from myapp.database.file import File, FileStatus, StrayObject
from myapp.database.outbox import OutboxRow
from myapp.database.user import User
from myapp.modules.file import FileModule
from myapp.modules.file.tasks import OBJECT_REMOVE
from myapp.queue.tasks import JobContext
from myapp.registry import Features
from tests.modules.file.conftest import Leftovers
from tests.modules.file.test_upload import open_url, upload
from tests.modules.user.test_avatar import PNG
from tests.support.buckets import outage
from tests.support.people import Person
from tests.support.seaweed import Seaweed


async def new_file(client: AsyncClient, who: Person, content: bytes = b"0123456789") -> str:
    answer = await upload(client, who, content)
    file_id: str = answer.json()["data"]["id"]
    return file_id


async def get_content(client: AsyncClient, who: Person, file_id: str, **headers: str) -> Response:
    """As a client does that follows a redirect, and keeps its credentials to itself."""
    path = f"/files/{file_id}/content"
    answer = await client.get(path, headers=who.headers | headers)
    if answer.status_code != 302:
        return answer
    async with AsyncClient() as other:
        return await other.get(answer.headers["Location"], headers=headers)


class TestList:
    async def test_has_ones_own_the_newest_first(
        self, client: AsyncClient, ada: Person, eve: Person
    ) -> None:
        mine = [await new_file(client, ada) for _ in range(3)]
        await new_file(client, eve)
        answer = await client.get("/files?per_page=2", headers=ada.headers)
        assert [file["id"] for file in answer.json()["data"]] == [mine[2], mine[1]]
        assert answer.json()["meta"] == {"page": 1, "per_page": 2, "total": 3, "total_pages": 2}
        answer = await client.get("/files?per_page=2&page=2", headers=ada.headers)
        assert [file["id"] for file in answer.json()["data"]] == [mine[0]]

    async def test_refuses_a_page_that_is_none(self, client: AsyncClient, ada: Person) -> None:
        for query in ("page=0", "per_page=101", "page=x", "other=1"):
            assert (await client.get(f"/files?{query}", headers=ada.headers)).status_code == 400


class TestOwnership:
    async def test_somebody_elses_file_is_not_found(
        self, client: AsyncClient, ada: Person, eve: Person, root: Person
    ) -> None:
        path = f"/files/{await new_file(client, ada)}"
        for who in (eve, root):
            for method, url in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
                answer = await client.request(method, url, headers=who.headers)
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        for method, url in (("GET", "/files"), ("GET", path), ("GET", f"{path}/content")):
            assert (await client.request(method, url)).status_code == 401
        assert (await client.get(path, headers=ada.headers)).status_code == 200

    async def test_an_unknown_file_is_not_found(self, client: AsyncClient, ada: Person) -> None:
        for name in (uuid4(), "x", "../users"):
            assert (await client.get(f"/files/{name}", headers=ada.headers)).status_code == 404


class TestContent:
    async def test_is_the_bytes_under_their_name(self, client: AsyncClient, ada: Person) -> None:
        answer = await get_content(client, ada, await new_file(client, ada))
        assert (answer.status_code, answer.content) == (200, b"0123456789")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a.txt"'

    async def test_comes_in_ranges(self, client: AsyncClient, ada: Person) -> None:
        file_id = await new_file(client, ada)
        answer = await get_content(client, ada, file_id, Range="bytes=2-4")
        assert (answer.status_code, answer.content) == (206, b"234")
        assert answer.headers["Content-Range"] == "bytes 2-4/10"
        answer = await get_content(client, ada, file_id, Range="bytes=10-")
        assert answer.status_code == 416

    async def test_is_not_sent_again_to_who_has_it(self, client: AsyncClient, ada: Person) -> None:
        file_id = await new_file(client, ada)
        etag = (await get_content(client, ada, file_id)).headers["ETag"]
        answer = await get_content(client, ada, file_id, **{"If-None-Match": etag})
        assert (answer.status_code, answer.content) == (304, b"")

    async def test_can_be_asked_about(self, client: AsyncClient, ada: Person) -> None:
        path = f"/files/{await new_file(client, ada)}/content"
        answer = await client.head(path, headers=ada.headers)
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "10")


class TestUrl:
    async def test_holds_for_one_file_as_it_was_signed(
        self, client: AsyncClient, ada: Person
    ) -> None:
        answer = await upload(client, ada, b"hello", name="a b.txt")
        url = answer.json()["data"]["url"]
        assert (await open_url(client, url)).status_code == 200
        other = (await upload(client, ada)).json()["data"]["url"].partition("?")[0]
        query = url.partition("?")[2]
        signature = url.lower().index("signature=") + len("signature=")
        for changed in (
            f"{other}?{query}",
            url[:signature] + url[signature:][::-1],
            url.replace("b.txt", "b.html"),
            url.replace("xpires=", "xpires=9"),
            url.partition("?")[0],
        ):
            assert changed != url
            assert (await open_url(client, changed)).status_code in (400, 403)


class TestDelete:
    async def test_removes_the_file_and_its_bytes(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        file_id = await new_file(client, ada)
        url = (await client.get(f"/files/{file_id}", headers=ada.headers)).json()["data"]["url"]
        answer = await client.delete(f"/files/{file_id}", headers=ada.headers)
        assert (answer.status_code, answer.json()["data"]) == (200, None)
        assert (await open_url(client, url)).status_code == 404
        assert (await client.get(f"/files/{file_id}", headers=ada.headers)).status_code == 404
        again = await client.delete(f"/files/{file_id}", headers=ada.headers)
        assert again.status_code == 404
        assert (await stored(), await StrayObject.all().count()) == ([], 0)

    @pytest.mark.parametrize("kind", ["s3"], indirect=True)
    @pytest.mark.xdist_group("seaweed")
    async def test_with_storage_away_leaves_it_to_the_queue(
        self,
        client: AsyncClient,
        ada: Person,
        features: Features,
        stored: Leftovers,
        seaweed: Seaweed,
    ) -> None:
        module = features.get(FileModule)
        file_id = await new_file(client, ada)
        async with outage(seaweed, module.storage):
            seaweed.kill()
            answer = await client.delete(f"/files/{file_id}", headers=ada.headers)
            assert answer.status_code == 200
        assert len(await stored()) == 1

        row = await OutboxRow.get(name="object:remove")
        handle = dict(module.tasks)[OBJECT_REMOVE]
        job = JobContext("key", row.name, "low", 1, 20, None, "worker")
        for _ in range(2):  # a job may come twice
            await handle(job, OBJECT_REMOVE.parse(row.payload))
        assert (await stored(), await StrayObject.all().count()) == ([], 0)


class TestCleanUp:
    async def test_the_files_of_a_purged_user_go_too(
        self, client: AsyncClient, ada: Person, eve: Person, stored: Leftovers, clean_up: Any
    ) -> None:
        for _ in range(3):
            await new_file(client, ada)
        kept = await new_file(client, eve)
        await User.filter(id=ada.id).delete()
        await clean_up()
        assert [str(file.id) for file in await File.all()] == [kept]
        assert len(await stored()) == 1

    async def test_pending_files_stay_for_a_day(
        self, client: AsyncClient, ada: Person, features: Features
    ) -> None:
        new = {"filename": "a", "content_type": "a/b", "size": 1}
        for _ in range(2):
            await client.post("/files/uploads", headers=ada.headers, json=new)
        ready = await new_file(client, ada)
        young, old, _ = await File.all().order_by("id")
        for file, hours in ((young, 23), (old, 25)):
            made = datetime.now(UTC) - timedelta(hours=hours)
            await File.filter(id=file.id).update(created_at=made)
        await File.filter(status=FileStatus.READY).update(
            created_at=datetime(2020, 1, 1, tzinfo=UTC)
        )
        assert await features.get(FileModule).cleanups["files"]() == 1
        assert {str(file.id) for file in await File.all()} == {str(young.id), ready}


async def test_an_avatar_opens_without_credentials(
    client: AsyncClient, ada: Person, stored: Leftovers
) -> None:
    answer = await client.put("/auth/me/avatar", headers=ada.headers, content=PNG)
    got = await open_url(client, answer.json()["data"]["avatar_url"])
    assert (got.status_code, got.content) == (200, PNG)
    assert got.headers["Content-Type"] == "image/png"
    await client.delete("/auth/me/avatar", headers=ada.headers)
    assert await stored() == []
