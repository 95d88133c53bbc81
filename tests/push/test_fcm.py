"""Pushing through FCM, played over loopback."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from myapp.enums import PushOutcome
from myapp.errors import ConfigError
from myapp.push.base import PushMessage
from myapp.push.fcm import QUOTA_PAUSE_SECONDS, FcmProvider
from tests.push.conftest import Answer, FcmServer, error
from tests.support.hubs import until

ID = UUID("01a202f7-06f1-7278-81fa-cbc3b1dff9bb")
HELLO = PushMessage(ID, "Hello", "World", {"k": "v"})


@pytest.fixture
async def provider(key: dict[str, str], fcm: FcmServer) -> AsyncIterator[FcmProvider]:
    provider = FcmProvider(key=key, url=f"{fcm.address}/v1/projects/demo/messages:send")
    yield provider
    await provider.close()


class TestMessage:
    async def test_carries_the_id_by_which_a_device_replaces_it(
        self, provider: FcmProvider, fcm: FcmServer
    ) -> None:
        [result] = await provider.send(HELLO, ["a"])
        assert result.outcome is PushOutcome.SENT
        [message] = fcm.messages
        assert message["token"] == "a"
        assert message["notification"] == {"title": "Hello", "body": "World"}
        assert message["data"] == {"k": "v", "notification_id": str(ID)}
        assert message["android"]["collapse_key"] == str(ID)
        assert message["apns"]["headers"] == {"apns-collapse-id": str(ID)}
        assert message["webpush"]["headers"] == {"Topic": ID.hex}

    async def test_is_cut_to_what_fcm_takes(self, provider: FcmProvider, fcm: FcmServer) -> None:
        await provider.send(PushMessage(ID, "ü" * 200, "b" * 2000, {"k": "x" * 3499}), ["a"])
        [message] = fcm.messages
        texts = [*message["data"].items(), *message["notification"].items()]
        assert sum(len(part.encode()) for pair in texts for part in pair) < 4096
        assert message["data"]["k"] == "x" * 3499
        assert message["notification"]["title"].endswith("…")

    async def test_goes_to_500_devices_with_one_access_token(
        self, provider: FcmProvider, fcm: FcmServer
    ) -> None:
        results = await provider.send(HELLO, [f"t{n}" for n in range(500)])
        assert {result.outcome for result in results} == {PushOutcome.SENT}
        assert {message["token"] for message in fcm.messages} == {f"t{n}" for n in range(500)}
        assert fcm.tokens_issued == 1


class TestOutcome:
    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [
            (error(404, "NOT_FOUND", fcm="UNREGISTERED"), PushOutcome.UNREGISTERED),
            (error(400, "INVALID_ARGUMENT"), PushOutcome.REFUSED),
            (error(403, "PERMISSION_DENIED", fcm="SENDER_ID_MISMATCH"), PushOutcome.REFUSED),
            (error(403, "PERMISSION_DENIED"), PushOutcome.FAILED),
            (error(500, "INTERNAL"), PushOutcome.FAILED),
            (error(503, "UNAVAILABLE"), PushOutcome.FAILED),
            (Answer(body=b"<html>"), PushOutcome.FAILED),
            (Answer(status=502, body=b"<html>"), PushOutcome.FAILED),
        ],
    )
    async def test_is_each_devices_own(
        self, provider: FcmProvider, fcm: FcmServer, answer: Answer, outcome: PushOutcome
    ) -> None:
        fcm.answers["odd"] = answer
        good, odd = await provider.send(HELLO, ["good", "odd"])
        assert (good.outcome, odd.outcome) == (PushOutcome.SENT, outcome)

    async def test_comes_after_one_try(self, provider: FcmProvider, fcm: FcmServer) -> None:
        fcm.answers["a"] = error(503, "UNAVAILABLE")
        await provider.send(HELLO, ["a"])
        assert len(fcm.messages) == 1

    async def test_is_failure_for_all_when_there_is_no_access_token(
        self, provider: FcmProvider, fcm: FcmServer
    ) -> None:
        fcm.token_answer = lambda: Answer(status=400, body=b'{"error": "invalid_grant"}')
        results = await provider.send(HELLO, ["a", "b"])
        assert [result.outcome for result in results] == [PushOutcome.FAILED] * 2
        assert fcm.messages == []


class TestPause:
    @pytest.mark.parametrize(
        ("answer", "least", "most"),
        [
            (error(503, "UNAVAILABLE", Retry_After="30"), 30, 30),
            (error(429, "RESOURCE_EXHAUSTED", Retry_After="7"), 7, 7),
            (
                error(429, "RESOURCE_EXHAUSTED", fcm="QUOTA_EXCEEDED"),
                QUOTA_PAUSE_SECONDS,
                QUOTA_PAUSE_SECONDS,
            ),
            (
                error(
                    503,
                    "UNAVAILABLE",
                    Retry_After="Fri, 31 Dec 2100 23:59:59 GMT",
                ),
                3600,
                10**10,
            ),
            (
                error(
                    429,
                    "RESOURCE_EXHAUSTED",
                    fcm="QUOTA_EXCEEDED",
                    Retry_After=f"Fri, 31 Dec {'9' * 20} 23:59:59 GMT",
                ),
                QUOTA_PAUSE_SECONDS,
                QUOTA_PAUSE_SECONDS,
            ),
        ],
    )
    async def test_is_what_fcm_asks_for(
        self, provider: FcmProvider, fcm: FcmServer, answer: Answer, least: float, most: float
    ) -> None:
        fcm.answers["a"] = answer
        [result] = await provider.send(HELLO, ["a"])
        assert result.outcome is PushOutcome.FAILED
        assert result.retry_after is not None
        assert least <= result.retry_after <= most

    async def test_spares_fcm_the_rest_of_the_batch(
        self, provider: FcmProvider, fcm: FcmServer
    ) -> None:
        tokens = [f"t{n}" for n in range(400)]
        fcm.answers = dict.fromkeys(tokens, error(429, "RESOURCE_EXHAUSTED", Retry_After="9"))
        results = await provider.send(HELLO, tokens)
        assert {result.retry_after for result in results} == {9.0}
        assert len(fcm.messages) <= 200


class TestLoop:
    async def test_is_not_stalled_by_a_slow_access_token(
        self, provider: FcmProvider, fcm: FcmServer
    ) -> None:
        released = threading.Event()  # a loop that stood still would not get to set it in time
        issue = fcm.token_answer
        fcm.token_answer = lambda: issue() if released.wait(5) else Answer(status=400)
        sending = asyncio.create_task(provider.send(HELLO, ["a"]))
        await until(lambda: fcm.tokens_issued > 0)
        released.set()
        assert (await sending)[0].outcome is PushOutcome.SENT


class Hanging:
    """An answer that does not come before it is released, and then is a refusal."""

    def __init__(self) -> None:
        self._released = threading.Event()
        self.release = self._released.set

    def __call__(self) -> Answer:
        self._released.wait()
        return Answer(status=400, body=b'{"error": "invalid_grant"}')


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    hanging = Hanging()
    yield hanging
    hanging.release()


def near_the_end(provider: FcmProvider) -> None:
    """Its access token is to be refreshed, and yet lasts for a batch."""
    now = datetime.now(UTC).replace(tzinfo=None)
    provider._credential.expiry = now + timedelta(minutes=5, seconds=30)


class TestAccessToken:
    async def test_is_refreshed_before_its_end(self, provider: FcmProvider, fcm: FcmServer) -> None:
        await provider.send(HELLO, ["a"])
        near_the_end(provider)
        expiry = provider._credential.expiry
        await provider.send(HELLO, ["b"])
        await until(lambda: provider._credential.expiry > expiry)
        await provider.send(HELLO, ["c"])
        assert fcm.tokens_issued == 2

    async def test_that_is_good_serves_all_while_the_server_of_tokens_hangs(
        self, provider: FcmProvider, fcm: FcmServer, hanging: Hanging
    ) -> None:
        await provider.send(HELLO, ["a"])
        near_the_end(provider)
        fcm.token_answer = hanging
        batches = await asyncio.gather(*(provider.send(HELLO, [token]) for token in "bcd"))
        assert [result.outcome for [result] in batches] == [PushOutcome.SENT] * 3
        await until(lambda: fcm.tokens_issued == 2)

    async def test_that_is_good_serves_where_a_refresh_failed_which_is_not_tried_again_at_once(
        self, provider: FcmProvider, fcm: FcmServer, hanging: Hanging
    ) -> None:
        await provider.send(HELLO, ["a"])
        near_the_end(provider)
        hanging.release()
        fcm.token_answer = hanging
        with capture_logs() as logs:
            for token in "bcd":
                [result] = await provider.send(HELLO, [token])
                assert result.outcome is PushOutcome.SENT
                await until(lambda: bool(logs))
        assert fcm.tokens_issued == 2
        assert [line["event"] for line in logs] == ["no new access token for FCM"]

    async def test_is_asked_for_once_by_all_who_have_none_and_its_failure_is_theirs(
        self, provider: FcmProvider, fcm: FcmServer, hanging: Hanging
    ) -> None:
        fcm.token_answer = hanging
        sending = [asyncio.create_task(provider.send(HELLO, [token])) for token in "abc"]
        await until(lambda: fcm.tokens_issued > 0)
        hanging.release()
        outcomes = [result.outcome for [result] in await asyncio.gather(*sending)]
        assert outcomes == [PushOutcome.FAILED] * 3
        assert fcm.tokens_issued == 1

    async def test_whose_server_hangs_keeps_no_process_from_its_end(
        self, key: dict[str, str], fcm: FcmServer, hanging: Hanging
    ) -> None:
        before = threading.enumerate()
        provider = FcmProvider(key=key, url=f"{fcm.address}/v1/projects/demo/messages:send")
        await provider.send(HELLO, ["a"])
        near_the_end(provider)
        fcm.token_answer = hanging
        await provider.send(HELLO, ["b"])
        await until(lambda: fcm.tokens_issued == 2)
        await provider.close()
        begun = [each for each in threading.enumerate() if each not in before]
        [thread] = [each for each in begun if each.name == "fcm-token"]
        assert thread.daemon
        hanging.release()
        await until(lambda: not thread.is_alive())


class TestKey:
    def test_that_is_none_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="FIREBASE_CREDENTIALS"):
            FcmProvider(key={"type": "service_account"})
