from datetime import UTC, datetime
from http import HTTPStatus

import pytest
from werkzeug.datastructures import Headers

from myapp.storage.base import ByteRange, StoredObject
from myapp.storage.serving import Answer, parse_range, plan_answer, serving_headers


def stored(content_type: str = "image/png", size: int = 100) -> StoredObject:
    modified_at = datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC)
    return StoredObject("a/b", size, content_type, "5" * 64, "5" * 32, modified_at)


ETAG = f'"{"5" * 32}"'
MODIFIED = "Fri, 02 Jan 2026 03:04:05 GMT"
EARLIER = "Fri, 02 Jan 2026 03:04:04 GMT"
ODD_DATES = [
    "Fri, 02 Jan 99999999999999999999 03:04:05 GMT",
    "Fri, 02 Jan 2026 03:04:05 +99999999999999",
    "Fri, 02 Jan 2026 03:04:05 +9999",
    "Fri, 99 Jan 2026 03:04:05 GMT",
]


def plan(size: int = 100, **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return plan_answer(stored(size=size), Headers(names), max_age=60)


class TestServingHeaders:
    @pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "image/gif", "image/webp"])
    def test_an_image_is_shown_as_what_it_is(self, content_type: str) -> None:
        headers = serving_headers(stored(content_type), max_age=60)
        assert headers["Content-Type"] == content_type
        assert headers["Content-Disposition"] == "inline"

    @pytest.mark.parametrize(
        "content_type",
        ["text/html", "image/svg+xml", "text/javascript", "application/xml", "text/css", "a/b"],
    )
    def test_what_could_run_is_saved_as_something_that_cannot(self, content_type: str) -> None:
        headers = serving_headers(stored(content_type), max_age=60)
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"] == "attachment"

    @pytest.mark.parametrize("content_type", ["image/png", "text/html"])
    def test_nothing_is_guessed_run_or_shared(self, content_type: str) -> None:
        headers = serving_headers(stored(content_type), max_age=60)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "private, max-age=60"
        assert headers["ETag"] == ETAG
        assert headers["Last-Modified"] == MODIFIED


class TestConditions:
    def test_without_any_the_whole_object_goes_out(self) -> None:
        answer = plan()
        assert (answer.status, answer.part) == (HTTPStatus.OK, ByteRange(0, 100))
        assert answer.headers["Content-Length"] == "100"

    @pytest.mark.parametrize("etags", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', "*"])
    def test_a_copy_that_is_current_is_not_sent_again(self, etags: str) -> None:
        answer = plan(If_None_Match=etags)
        assert (answer.status, answer.part) == (HTTPStatus.NOT_MODIFIED, None)
        assert answer.headers["ETag"] == ETAG
        assert "Content-Length" not in answer.headers

    def test_a_date_counts_only_without_an_etag(self) -> None:
        assert plan(If_Modified_Since=MODIFIED).status == HTTPStatus.NOT_MODIFIED
        assert plan(If_Modified_Since=EARLIER).status == HTTPStatus.OK
        answer = plan(If_None_Match='"other"', If_Modified_Since=MODIFIED)
        assert answer.status == HTTPStatus.OK

    @pytest.mark.parametrize("date", ODD_DATES)
    def test_a_date_that_is_none_is_ignored(self, date: str) -> None:
        assert plan(If_Modified_Since=date).status == HTTPStatus.OK
        answer = plan(If_None_Match=ETAG, If_Modified_Since=date)
        assert answer.status == HTTPStatus.NOT_MODIFIED

    def test_a_current_copy_comes_before_a_range(self) -> None:
        assert plan(If_None_Match=ETAG, Range="bytes=0-1").status == HTTPStatus.NOT_MODIFIED


class TestRanges:
    @pytest.mark.parametrize(
        ("header", "start", "stop"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("bytes=90-", 90, 100),
            ("bytes=90-1000", 90, 100),
            ("bytes=-10", 90, 100),
            ("bytes=-1000", 0, 100),
        ],
    )
    def test_one_range_is_answered_in_part(self, header: str, start: int, stop: int) -> None:
        answer = plan(Range=header)
        assert (answer.status, answer.part) == (206, ByteRange(start, stop))
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/100"
        assert answer.headers["Content-Length"] == str(stop - start)

    @pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
    def test_a_range_beyond_the_end_is_refused_with_the_size(self, header: str) -> None:
        answer = plan(Range=header)
        assert (answer.status, answer.part) == (416, None)
        assert answer.headers["Content-Range"] == "bytes */100"

    def test_an_empty_object_has_no_range(self) -> None:
        assert plan(size=0, Range="bytes=0-").status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        assert plan(size=0).part == ByteRange(0, 0)

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=0-1,4-5",
            "items=0-1",
            "bytes=٣-٤",
            f"bytes={'9' * 5000}-",
        ],
    )
    def test_what_is_no_single_range_is_ignored(self, header: str) -> None:
        assert parse_range(header, 100) is None
        assert plan(Range=header).status == HTTPStatus.OK

    @pytest.mark.parametrize("validator", [ETAG, MODIFIED])
    def test_a_range_of_this_very_object_goes_on(self, validator: str) -> None:
        assert plan(Range="bytes=0-1", If_Range=validator).status == HTTPStatus.PARTIAL_CONTENT

    @pytest.mark.parametrize("validator", ['"other"', EARLIER, "", "nonsense", *ODD_DATES])
    def test_a_range_of_another_object_starts_over(self, validator: str) -> None:
        assert plan(Range="bytes=0-1", If_Range=validator).status == HTTPStatus.OK
