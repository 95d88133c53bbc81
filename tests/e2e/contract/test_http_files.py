"""Section 4: files and local storage. The same over S3: tests/modules/file, tests/storage."""

import hashlib
from typing import Any

import httpx
import pytest

from tests.support.outside import Headers, Outside, Person, data_of, refused

pytestmark = pytest.mark.xdist_group("contract")

FILE = {"id", "filename", "content_type", "size", "sha256", "status", "url", "created_at"}
FILE_BYTES = 25 * 1024 * 1024
CONTENT = b"0123456789"


def upload(
    service: Outside, person: Person, content: bytes = CONTENT, name: str = "a.txt"
) -> httpx.Response:
    files = {"file": (name, content, "text/plain")}
    return service.api.post("/files", headers=person.headers, files=files)


def announce(service: Outside, person: Person, size: int = len(CONTENT)) -> httpx.Response:
    body = {"filename": "a.txt", "content_type": "text/plain", "size": size}
    return service.api.post("/files/uploads", headers=person.headers, json=body)


def send(service: Outside, begun: Any, content: bytes = CONTENT, **headers: str) -> httpx.Response:
    """The request that the answer described."""
    how = begun["upload"]
    return service.api.request(
        how["method"], how["url"], headers=how["headers"] | headers, content=content
    )


class TestUpload:
    def test_answers_the_file(self, service: Outside) -> None:
        ada = service.person()
        file = data_of(upload(service, ada), 201)
        assert set(file) == FILE
        assert (file["filename"], file["size"], file["status"]) == ("a.txt", 10, "ready")
        assert file["sha256"] == hashlib.sha256(CONTENT).hexdigest()
        assert data_of(service.api.get(f"/files/{file['id']}", headers=ada.headers))["size"] == 10
        assert len(data_of(service.api.get("/files", headers=ada.headers))) == 1

    def test_has_at_most_25_mib(self, service: Outside) -> None:
        ada = service.person()
        assert upload(service, ada, bytes(FILE_BYTES)).status_code == 201
        assert refused(upload(service, ada, bytes(FILE_BYTES + 1))) == (413, "too_large")

    def test_takes_the_field_file_of_a_form(self, service: Outside) -> None:
        ada = service.person()
        other = service.api.post("/files", headers=ada.headers, files={"other": b"x"})
        assert refused(other) == (400, "invalid_request")
        no_form = service.api.post("/files", headers=ada.headers, content=b"x")
        assert refused(no_form) == (415, "unsupported_media_type")

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (b"<!doctype html><p>", "text/html"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        ],
    )
    def test_of_what_a_browser_could_run_is_served_as_an_attachment(
        self, service: Outside, content: bytes, kind: str
    ) -> None:
        file = data_of(upload(service, service.person(), content, "picture.png"), 201)
        assert file["content_type"] == kind
        shown = service.api.get(file["url"])
        assert shown.headers["Content-Disposition"].startswith("attachment")
        assert shown.headers["X-Content-Type-Options"] == "nosniff"


class TestDirectUpload:
    def test_goes_to_storage_and_is_completed(self, service: Outside) -> None:
        ada = service.person()
        begun = data_of(announce(service, ada), 201)
        assert set(begun["upload"]) == {"method", "url", "headers"}
        assert (begun["file"]["status"], begun["file"]["url"]) == ("pending", None)
        complete = f"/files/{begun['file']['id']}/complete"
        early = service.api.post(complete, headers=ada.headers)
        assert refused(early) == (409, "conflict")
        assert send(service, begun).status_code == 200
        file = data_of(service.api.post(complete, headers=ada.headers))
        assert (file["status"], file["id"]) == ("ready", begun["file"]["id"])
        assert service.api.get(file["url"]).content == CONTENT

    def test_is_out_of_the_urls_reach_once_complete(self, service: Outside) -> None:
        ada = service.person()
        begun = data_of(announce(service, ada), 201)
        send(service, begun)
        path = f"/files/{begun['file']['id']}"
        file = data_of(service.api.post(f"{path}/complete", headers=ada.headers))
        send(service, begun, b"9876543210")
        assert service.api.get(file["url"]).content == CONTENT
        again = data_of(service.api.post(f"{path}/complete", headers=ada.headers))
        assert again["sha256"] == file["sha256"]

    @pytest.mark.parametrize(
        ("content", "headers"),
        [(CONTENT[:9], {}), (CONTENT + b"x", {}), (CONTENT, {"Content-Type": "text/html"})],
        ids=["shorter", "longer", "another type"],
    )
    def test_takes_just_what_was_announced(
        self, service: Outside, content: bytes, headers: Headers
    ) -> None:
        begun = data_of(announce(service, service.person()), 201)
        assert refused(send(service, begun, content, **headers)) == (403, "forbidden")

    def test_of_other_content_than_announced_is_a_409(self, service: Outside) -> None:
        ada = service.person()
        body = {"filename": "a.png", "content_type": "image/png", "size": len(CONTENT)}
        answer = service.api.post("/files/uploads", headers=ada.headers, json=body)
        begun = data_of(answer, 201)
        send(service, begun)
        complete = f"/files/{begun['file']['id']}/complete"
        assert refused(service.api.post(complete, headers=ada.headers)) == (409, "conflict")

    def test_has_at_most_25_mib(self, service: Outside) -> None:
        ada = service.person()
        assert announce(service, ada, FILE_BYTES).status_code == 201
        assert refused(announce(service, ada, FILE_BYTES + 1)) == (413, "too_large")


class TestOwnership:
    def test_nobody_else_knows_of_it(self, service: Outside) -> None:
        file = data_of(upload(service, service.person()), 201)
        for other in (service.person(), service.root):
            for method, rest in (
                ("GET", ""),
                ("GET", "/content"),
                ("POST", "/complete"),
                ("DELETE", ""),
            ):
                path = f"/files/{file['id']}{rest}"
                answer = service.api.request(method, path, headers=other.headers)
                assert refused(answer) == (404, "not_found"), (method, path)

    def test_of_a_deleted_file_ends(self, service: Outside) -> None:
        ada = service.person()
        file = data_of(upload(service, ada), 201)
        path = f"/files/{file['id']}"
        assert data_of(service.api.delete(path, headers=ada.headers)) is None
        assert refused(service.api.get(path, headers=ada.headers)) == (404, "not_found")
        assert refused(service.api.get(file["url"])) == (404, "not_found")


class TestContent:
    @pytest.fixture
    def get(self, service: Outside) -> Any:
        ada = service.person()
        path = f"/files/{data_of(upload(service, ada), 201)['id']}/content"
        return lambda **headers: service.api.get(path, headers=ada.headers | headers)

    def test_is_the_bytes_and_no_envelope(self, get: Any) -> None:
        answer = get()
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["Accept-Ranges"] == "bytes"

    @pytest.mark.parametrize(
        ("asked", "part", "where"),
        [
            ("0-1", b"01", "0-1"),
            ("7-", b"789", "7-9"),
            ("-2", b"89", "8-9"),
            ("8-99", b"89", "8-9"),
        ],
    )
    def test_comes_in_ranges(self, get: Any, asked: str, part: bytes, where: str) -> None:
        answer = get(Range=f"bytes={asked}")
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["Content-Range"] == f"bytes {where}/10"

    def test_of_a_range_beyond_the_end_is_an_error_in_the_envelope(self, get: Any) -> None:
        answer = get(Range="bytes=10-")
        assert refused(answer) == (416, "invalid_request")
        assert answer.headers["Content-Range"] == "bytes */10"

    def test_of_a_range_that_is_none_is_all_of_it(self, get: Any) -> None:
        for asked in ("bytes=3-1", "lines=1-2", "bytes=0-1,3-4"):
            assert get(Range=asked).content == CONTENT

    def test_is_not_sent_again_to_who_has_it(self, get: Any) -> None:
        etag = get().headers["ETag"]
        assert (get(**{"If-None-Match": etag}).status_code, get().status_code) == (304, 200)
        part = get(**{"Range": "bytes=0-1", "If-Range": etag})
        changed = get(**{"Range": "bytes=0-1", "If-Range": '"other"'})
        assert (part.status_code, changed.status_code) == (206, 200)


class TestSignedUrls:
    def test_open_without_credentials_and_expire(self, service: Outside) -> None:
        url = data_of(upload(service, service.person()), 201)["url"]
        assert service.api.get(url).content == CONTENT
        later = url.replace("expires=", "expires=9")
        unsigned = url.partition("?")[0]
        forged = url.replace("signature=", "signature=0")
        for bad in (later, unsigned, forged, f"{unsigned}?expires=1&signature=x"):
            assert refused(service.api.get(bad)) == (403, "forbidden")

    def test_to_read_do_not_write(self, service: Outside) -> None:
        url = data_of(upload(service, service.person()), 201)["url"]
        assert refused(service.api.put(url, content=b"x")) == (403, "forbidden")
