"""POST /files."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import AsyncClient, Response

from myapp.audit import SYSTEM
from myapp.database.file import File, StrayObject
from myapp.database.outbox import OutboxRow
from myapp.enums import UserStatus
from myapp.errors import Unavailable
from myapp.modules.file import FileModule
from myapp.modules.file.removal import Removal
from myapp.modules.file.usecases import FILE_BYTES, Upload, UploadUsecase
from myapp.modules.user import UserModule
from myapp.modules.user.dtos import UserChanges
from myapp.outbox.writing import Handover, Outbox
from myapp.registry import Features
from tests.modules.file.conftest import Leftovers
from tests.modules.user.test_avatar import PNG
from tests.support.buckets import outage
from tests.support.people import Person
from tests.support.seaweed import Seaweed

BOUNDARY = "b-o-u-n-d-a-r-y"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
END = f"\r\n--{BOUNDARY}--\r\n"
MEBIBYTE = 1024 * 1024


async def upload(
    client: AsyncClient,
    who: Person,
    content: bytes = b"hello",
    *,
    name: str = "a.txt",
    content_type: str = "text/plain",
) -> Response:
    files = {"file": (name, content, content_type)}
    return await client.post("/files", headers=who.headers, files=files)


async def open_url(client: AsyncClient, url: str) -> Response:
    """As a browser does, of our own or of storage."""
    if url.startswith("/"):
        return await client.get(url)
    async with AsyncClient() as other:
        return await other.get(url)


async def send_form(client: AsyncClient, who: Person, *pieces: str | bytes) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece.encode() if isinstance(piece, str) else piece

    return await client.post("/files", headers=who.headers | FORM, content=stream())


class TestUpload:
    async def test_gives_the_file_and_its_bytes_back(
        self, client: AsyncClient, ada: Person
    ) -> None:
        answer = await upload(client, ada, PNG, name="dot.png", content_type="image/png")
        assert answer.status_code == 201
        file = answer.json()["data"]
        assert file | {"id": "", "url": "", "created_at": ""} == {
            "id": "",
            "filename": "dot.png",
            "content_type": "image/png",
            "size": len(PNG),
            "sha256": hashlib.sha256(PNG).hexdigest(),
            "status": "ready",
            "url": "",
            "created_at": "",
        }
        got = await open_url(client, file["url"])
        assert (got.status_code, got.content) == (200, PNG)
        assert got.headers["Content-Type"] == "image/png"
        assert got.headers["Content-Disposition"] == 'inline; filename="dot.png"'

    async def test_tells_the_user_once_it_is_ready(self, client: AsyncClient, ada: Person) -> None:
        file = (await upload(client, ada)).json()["data"]
        told = await OutboxRow.filter(name="file.ready").values_list("user_id", "payload")
        assert [(user_id, file["id"] in payload) for user_id, payload in told] == [(ada.id, True)]

    async def test_sends_what_could_run_as_an_attachment(
        self, client: AsyncClient, ada: Person
    ) -> None:
        for content, content_type in (
            (b"<html><script>alert(1)</script>", "image/png"),
            (b"<svg onload=alert(1)>", "image/svg+xml"),
            (b"alert(1)", "text/javascript"),
            (b"GIF89a=1;<script>alert(1)</script>", "image/gif"),
        ):
            answer = await upload(client, ada, content, content_type=content_type)
            got = await open_url(client, answer.json()["data"]["url"])
            assert got.content == content
            assert got.headers["Content-Type"] == "application/octet-stream"
            assert got.headers["Content-Disposition"] == 'attachment; filename="a.txt"'

    async def test_a_name_is_only_ever_shown(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        names = {
            "../../../etc/passwd": "passwd",
            "C:\\Windows\\win.ini": "win.ini",
            "..": "file",
            " ": "file",
            "nul\0in the middle": "nulin the middle",
            'quo"te;a=b%20.txt': 'quo"te;a=b%20.txt',
            "日本語 👩‍👧.png": "日本語 👩‍👧.png",
            "\u202egpj.exe": "gpj.exe",
            "x" * 300 + ".tar": "x" * 251 + ".tar",
        }
        for name, shown in names.items():
            form = HEAD.replace(
                '"a.txt"', '"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"'))
            )
            answer = await send_form(client, ada, form, "hello", END)
            file = answer.json()["data"]
            assert file["filename"] == shown
            got = await open_url(client, file["url"])
            assert (got.status_code, got.content) == (200, b"hello")
            assert "Set-Cookie" not in got.headers
        assert len(await stored()) == len(names)

    async def test_an_empty_file_is_a_file(self, client: AsyncClient, ada: Person) -> None:
        file = (await upload(client, ada, b"")).json()["data"]
        assert (file["size"], file["sha256"]) == (0, hashlib.sha256().hexdigest())
        assert (await open_url(client, file["url"])).content == b""

    async def test_twenty_at_once_are_twenty_files(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        contents = [bytes([number]) * 300_000 + os.urandom(10) for number in range(20)]
        answers = await asyncio.gather(*(upload(client, ada, content) for content in contents))
        assert [answer.status_code for answer in answers] == [201] * 20
        urls = [answer.json()["data"]["url"] for answer in answers]
        got = await asyncio.gather(*(open_url(client, url) for url in urls))
        assert [each.content for each in got] == contents
        assert len(await stored()) == 20
        assert await StrayObject.all().count() == 0


class TestRefusal:
    async def test_takes_25_mebibytes_and_no_byte_more(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        largest = bytes(FILE_BYTES)
        assert (await upload(client, ada, largest)).status_code == 201
        kept = await stored()
        answer = await upload(client, ada, largest + b"x")
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        streamed = [bytes(MEBIBYTE)] * 25
        answer = await send_form(client, ada, HEAD, *streamed, b"x", END)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert await stored() == kept

    @pytest.mark.parametrize(
        "pieces",
        [
            (),
            ("nonsense",),
            (END,),
            (HEAD,),
            (HEAD, "hello"),
            (HEAD, b"x" * (6 * MEBIBYTE)),
            (HEAD, "hello", END[:-6]),
            (HEAD, "hello\r\n", HEAD, "again", END),
            (HEAD.replace('name="file"', 'name="other"'), "hello", END),
            (HEAD.replace('; filename="a.txt"', ""), "hello", END),
            (HEAD.replace("a.txt", ""), "hello", END),
            (HEAD.replace("Content-Disposition", "X-Other"), "hello", END),
            (HEAD.encode().replace(b"a.txt", b"\xff.txt"), "hello", END),
        ],
        ids=range(13),
    )
    @pytest.mark.parametrize("kind", ["local"], indirect=True)
    async def test_a_form_that_is_none_leaves_nothing(
        self, client: AsyncClient, ada: Person, stored: Leftovers, pieces: Any
    ) -> None:
        answer = await send_form(client, ada, *pieces)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert (await stored(), await File.all().count()) == ([], 0)

    async def test_a_form_without_end_takes_no_memory(
        self, client: AsyncClient, ada: Person, stored: Leftovers
    ) -> None:
        for endless in (b"a" * 65536, b"X-Header: a\r\n" * 5000):
            answer = await send_form(client, ada, HEAD.removesuffix("\r\n"), *[endless] * 20)
            assert answer.status_code == 413
        assert await stored() == []

    async def test_what_is_no_form_is_refused(self, client: AsyncClient, ada: Person) -> None:
        answer = await client.post("/files", headers=ada.headers, content=b"hello")
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
        headers = ada.headers | {"Content-Type": "multipart/form-data"}
        assert (await client.post("/files", headers=headers, content=b"x")).status_code == 400

    async def test_a_stranger_uploads_nothing(self, client: AsyncClient) -> None:
        assert (await client.post("/files", files={"file": b"x"})).status_code == 401


class TestUserMeanwhile:
    """Somebody sends slowly, and may not send any more when the end has come."""

    @pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.DELETED])
    async def test_what_they_began_is_refused_and_leaves_nothing(
        self,
        client: AsyncClient,
        features: Features,
        ada: Person,
        stored: Leftovers,
        clean_up: Any,
        status: UserStatus,
    ) -> None:
        administration = features.get(UserModule).administration

        async def slow() -> AsyncIterator[bytes]:
            yield HEAD.encode()
            yield b"x" * (6 * MEBIBYTE)
            if status is UserStatus.SUSPENDED:
                await administration.change(ada.id, UserChanges(status=status), SYSTEM)
            else:
                await administration.delete(ada.id, SYSTEM)
            assert await stored()
            yield END.encode()

        answer = await client.post("/files", headers=ada.headers | FORM, content=slow())
        assert (answer.status_code, answer.json()["code"]) == (403, f"account_{status}")
        assert (await stored(), await File.all().count()) == ([], 0)
        assert not await OutboxRow.exists(name="file.ready")
        await clean_up()
        assert not await StrayObject.exists()


class TestInterruption:
    @pytest.fixture
    def module(self, features: Features) -> FileModule:
        return features.get(FileModule)

    async def test_an_upload_that_breaks_off_leaves_nothing(
        self, module: FileModule, ada: Person, stored: Leftovers
    ) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"x" * (6 * MEBIBYTE)
            assert await stored()
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            await module.upload.store(ada.id, Upload("a", None, broken()))
        assert (await stored(), await File.all().count()) == ([], 0)

    async def test_a_cancelled_upload_leaves_nothing(
        self, module: FileModule, ada: Person, stored: Leftovers
    ) -> None:
        arrived = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x" * (6 * MEBIBYTE)
            arrived.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(module.upload.store(ada.id, Upload("a", None, endless())))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await stored(), await File.all().count()) == ([], 0)

    async def test_what_a_killed_process_stored_is_removed_in_a_day(
        self, module: FileModule, ada: Person, stored: Leftovers, clean_up: Any
    ) -> None:
        """It died between the object and its row."""

        async def chunks() -> AsyncIterator[bytes]:
            yield b"hello"

        await StrayObject.reserve("files/x/1")
        await module.storage.put("files/x/1", chunks(), content_type="text/plain")
        assert await module.cleanups["objects"]() == 0
        assert len(await stored()) == 1
        await clean_up()
        assert (await stored(), await StrayObject.all().count()) == ([], 0)

    async def test_who_is_cancelled_in_the_commit_keeps_the_file(
        self, module: FileModule, ada: Person, stored: Leftovers, clean_up: Any
    ) -> None:
        class Interrupted(Outbox):
            @asynccontextmanager
            async def transaction(self) -> AsyncIterator[Handover]:
                async with super().transaction() as handover:
                    yield handover
                raise asyncio.CancelledError

        async def chunks() -> AsyncIterator[bytes]:
            yield b"hello"

        removal = Removal(module.storage)
        usecase = UploadUsecase(outbox=Interrupted(), removal=removal, storage=module.storage)
        with pytest.raises(asyncio.CancelledError):
            await usecase.store(ada.id, Upload("a", None, chunks()))
        await clean_up()
        assert await File.all().count() == len(await stored()) == 1

    @pytest.mark.parametrize("removed", [False, True])
    async def test_nothing_is_kept_whose_removal_is_due(
        self, module: FileModule, ada: Person, stored: Leftovers, clean_up: Any, *, removed: bool
    ) -> None:
        async def slow() -> AsyncIterator[bytes]:
            yield b"x" * 5000
            await StrayObject.all().update(due_at=datetime.now(UTC))
            if removed:
                await clean_up()
            yield b"x"

        with pytest.raises(Unavailable):
            await module.upload.store(ada.id, Upload("a", None, slow()))
        assert (await stored(), await File.all().count()) == ([], 0)

    @pytest.mark.parametrize("kind", ["s3"], indirect=True)
    @pytest.mark.xdist_group("seaweed")
    async def test_a_storage_killed_meanwhile_is_a_503_and_leaves_nothing_in_the_end(
        self,
        client: AsyncClient,
        module: FileModule,
        ada: Person,
        stored: Leftovers,
        seaweed: Seaweed,
        clean_up: Any,
    ) -> None:
        async def killing() -> AsyncIterator[bytes]:
            yield HEAD.encode()
            yield b"x" * (6 * MEBIBYTE)
            seaweed.kill()
            yield b"x" * (6 * MEBIBYTE)
            yield END.encode()

        kept = (await upload(client, ada)).json()["data"]
        async with outage(seaweed, module.storage):
            answer = await client.post("/files", headers=ada.headers | FORM, content=killing())
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert (await upload(client, ada)).status_code == 503
            assert (await client.get("/files", headers=ada.headers)).json()["meta"]["total"] == 1
            gone = await client.delete(f"/files/{kept['id']}", headers=ada.headers)
            assert gone.status_code == 200

        await clean_up()
        assert (await File.all().count(), await StrayObject.all().count()) == (0, 0)
        await module.storage.sweep(older_than=-timedelta(minutes=1))
        assert await stored() == []
