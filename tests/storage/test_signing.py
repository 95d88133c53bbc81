from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from myapp.errors import Forbidden
from myapp.storage.signing import UrlSigner

HOUR = timedelta(hours=1)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.5)


@pytest.fixture
def signer(clock: Clock) -> UrlSigner:
    return UrlSigner(b"a signing key of thirty-two bytes", clock=clock)


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class TestUrl:
    def test_it_is_relative_to_the_api(self, signer: UrlSigner) -> None:
        url = urlsplit(signer.url("avatars/a.b-c_d", expires_in=HOUR))
        assert (url.scheme, url.netloc, url.path) == ("", "", "/storage/avatars/a.b-c_d")

    @pytest.mark.parametrize("seconds", [0.2, 1, 59, 60, 3600, 86_400])
    @pytest.mark.parametrize("now", [1_000_000.0, 1_000_000.999, 1_000_799.0, 1_000_800.0])
    def test_it_holds_as_long_as_asked_and_at_most_twice_that(
        self, signer: UrlSigner, clock: Clock, seconds: float, now: float
    ) -> None:
        clock.now = now
        url = signer.url("a", expires_in=timedelta(seconds=seconds))
        holds = int(query_of(url)["expires"]) - now
        assert seconds <= holds <= 2 * max(1, seconds)

    def test_it_stays_the_same_for_a_while(self, signer: UrlSigner, clock: Clock) -> None:
        clock.now = 3600 * 100
        first = signer.url("a", expires_in=HOUR)
        clock.now += 3599
        assert signer.url("a", expires_in=HOUR) == first
        clock.now += 1
        assert signer.url("a", expires_in=HOUR) != first


class TestCheck:
    def test_it_says_for_how_long(self, signer: UrlSigner, clock: Clock) -> None:
        query = query_of(signer.url("a", expires_in=HOUR))
        clock.now = int(query["expires"]) - 100.5
        assert signer.check("a", **query) == 100

    def test_it_ends_with_its_last_second(self, signer: UrlSigner, clock: Clock) -> None:
        query = query_of(signer.url("a", expires_in=HOUR))
        clock.now = int(query["expires"])
        with pytest.raises(Forbidden):
            signer.check("a", **query)

    @pytest.mark.parametrize("name", ["b.txt", "", "a.txt\n", "A.txt"])
    def test_another_name_is_refused(self, signer: UrlSigner, name: str) -> None:
        query = query_of(signer.url("a", expires_in=HOUR, filename="a.txt"))
        assert query["filename"] == "a.txt"
        assert signer.check("a", **query) > 0
        with pytest.raises(Forbidden):
            signer.check("a", **query | {"filename": name})

    def test_a_name_never_passes_for_a_part_of_the_key(self, signer: UrlSigner) -> None:
        query = query_of(signer.url("a", expires_in=HOUR, filename="b"))
        with pytest.raises(Forbidden):
            signer.check("a\nb", expires=query["expires"], signature=query["signature"])

    @pytest.mark.parametrize("key", ["b", "a/", "A", "", "a\n", "../a"])
    def test_another_key_is_refused(self, signer: UrlSigner, key: str) -> None:
        query = query_of(signer.url("a", expires_in=HOUR))
        with pytest.raises(Forbidden):
            signer.check(key, **query)

    @pytest.mark.parametrize("before", ["0", " ", "9", "+", "-"])
    def test_another_expiry_is_refused(self, signer: UrlSigner, before: str) -> None:
        query = query_of(signer.url("a", expires_in=HOUR))
        query["expires"] = before + query["expires"]
        with pytest.raises(Forbidden):
            signer.check("a", **query)

    @pytest.mark.parametrize("signature", ["", "0" * 64, "é" * 64, "\ud800", "a" * 100_000])
    def test_another_signature_is_refused(self, signer: UrlSigner, signature: str) -> None:
        query = query_of(signer.url("a", expires_in=HOUR)) | {"signature": signature}
        with pytest.raises(Forbidden):
            signer.check("a", **query)

    def test_a_signature_in_capitals_is_refused(self, signer: UrlSigner) -> None:
        query = query_of(signer.url("a", expires_in=HOUR))
        query["signature"] = query["signature"].upper()
        with pytest.raises(Forbidden):
            signer.check("a", **query)

    def test_another_key_of_ours_signs_another_way(self, signer: UrlSigner, clock: Clock) -> None:
        query = query_of(signer.url("a", expires_in=HOUR))
        with pytest.raises(Forbidden):
            UrlSigner(b"another key", clock=clock).check("a", **query)


class TestUpload:
    def upload(self, signer: UrlSigner) -> dict[str, str]:
        return query_of(signer.upload_url("a", expires_in=HOUR, content_type="image/png", size=5))

    def test_it_holds_for_what_it_was_signed_for(self, signer: UrlSigner) -> None:
        query = self.upload(signer)
        assert signer.check_upload("a", **query, content_type="image/png", size=5) > 0

    @pytest.mark.parametrize("content_type", ["image/gif", "IMAGE/PNG", ""])
    def test_another_type_is_refused(self, signer: UrlSigner, content_type: str) -> None:
        query = self.upload(signer)
        with pytest.raises(Forbidden):
            signer.check_upload("a", **query, content_type=content_type, size=5)

    @pytest.mark.parametrize("size", [4, 6, 50, None])
    def test_another_size_is_refused(self, signer: UrlSigner, size: int | None) -> None:
        query = self.upload(signer)
        with pytest.raises(Forbidden):
            signer.check_upload("a", **query, content_type="image/png", size=size)

    def test_it_reads_nothing_and_a_url_to_read_stores_nothing(self, signer: UrlSigner) -> None:
        with pytest.raises(Forbidden):
            signer.check("a", **self.upload(signer))
        query = query_of(signer.url("a", expires_in=HOUR))
        with pytest.raises(Forbidden):
            signer.check_upload("a", **query, content_type="image/png", size=5)

    def test_it_ends_too(self, signer: UrlSigner, clock: Clock) -> None:
        query = self.upload(signer)
        clock.now = int(query["expires"])
        with pytest.raises(Forbidden):
            signer.check_upload("a", **query, content_type="image/png", size=5)
