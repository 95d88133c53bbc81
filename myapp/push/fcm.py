"""The push provider for production: Firebase Cloud Messaging, through firebase-admin.

The only importer of its messaging; importing it takes a while, so this module is imported only
where FCM is the provider. All of it runs on an event loop of its own, in a thread of its own:
firebase-admin may refresh its access token with a blocking call.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from uuid import uuid4

import firebase_admin
from firebase_admin import exceptions, messaging
from firebase_admin._http_client import HttpxAsyncClient
from firebase_admin._retry import HttpxRetry

from myapp.enums import PushOutcome
from myapp.errors import ConfigError
from myapp.push.access_token import TOKEN_ERRORS, AccessToken
from myapp.push.base import PushMessage, PushResult
from myapp.push.fitting import fit
from myapp.push.loop_thread import LoopThread

HTTP_SECONDS = 10.0  # firebase-admin's default is 120
CLOSE_SECONDS = 1.0
REQUESTS_AT_ONCE = 100  # HTTP/2 streams that FCM takes on one connection
# What FCM's documentation asks for after a 429 that does not say.
QUOTA_PAUSE_SECONDS = 60.0
REFUSALS = (
    exceptions.InvalidArgumentError,  # a malformed token, or a message that FCM will not take
    messaging.SenderIdMismatchError,  # another project's token
)


class FcmProvider:
    """Sends through FCM's HTTP v1 API."""

    def __init__(
        self, *, key: dict[str, Any], project_id: str | None = None, url: str | None = None
    ) -> None:
        """`key` is a service account's; `url` is another server's that speaks FCM's language.

        Raises ConfigError for a key that is none.
        """
        try:
            credential = firebase_admin.credentials.Certificate(key)
        except ValueError:
            raise ConfigError("FIREBASE_CREDENTIALS: is no service account key") from None
        options = {"projectId": project_id, "httpTimeout": HTTP_SECONDS}
        self._app = firebase_admin.initialize_app(credential, options, name=f"myapp-push-{uuid4()}")
        self._credential: Any = credential.get_credential()
        self.access_token = AccessToken(self._credential)
        # Not the app's own service: that one closes its client on a loop of its own. And there is
        # no public way to turn off retries that know nothing of Retry-After.
        self._service: Any = messaging._MessagingService(self._app)  # noqa: SLF001
        self._service._async_client = HttpxAsyncClient(  # noqa: SLF001
            credential=self._credential,
            retry_config=HttpxRetry(max_retries=0, respect_retry_after_header=False),
            timeout=HTTP_SECONDS,
        )
        if url:
            self._service._fcm_url = url  # noqa: SLF001
        self._thread = LoopThread("fcm")

    async def send(self, message: PushMessage, tokens: Sequence[str]) -> Sequence[PushResult]:
        """See PushProvider. Once FCM asks for a pause, or does not answer, the rest is not sent."""
        return await self._thread.run(partial(Batch(self).send, fit(message), tokens))

    async def close(self) -> None:
        """Ends the threads; what is under way is dropped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._thread.end_with(self._end_work)
        firebase_admin.delete_app(self._app)

    async def _end_work(self) -> None:
        await self.access_token.close()
        await self._service._async_client.aclose()  # noqa: SLF001  # no public way

    async def send_one(self, message: messaging.Message) -> None:
        """Raises a FirebaseError; whatever else happens comes inside an UnknownError."""
        # One by one: of a batch, a single reply that is no JSON would hide all other results.
        answer = await self._service.send_each_async([message], dry_run=False)
        if error := answer.responses[0].exception:
            raise error


class Batch:
    """One message on its way to some tokens, on the provider's own loop."""

    def __init__(self, provider: FcmProvider) -> None:
        self._provider = provider
        self._gate = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._stopped: PushResult | None = None

    async def send(self, message: PushMessage, tokens: Sequence[str]) -> Sequence[PushResult]:
        try:
            await self._provider.access_token.ensure()
        except TOKEN_ERRORS as error:
            return [PushResult(PushOutcome.FAILED, explain(error))] * len(tokens)
        return await asyncio.gather(*(self._send(message, token) for token in tokens))

    async def _send(self, message: PushMessage, token: str) -> PushResult:
        async with self._gate:
            if self._stopped:
                return self._stopped
            try:
                await self._provider.send_one(build(message, token))
            except exceptions.FirebaseError as error:
                result = judge(error)
                if result.retry_after is not None or error.http_response is None:
                    self._stopped = self._stopped or result
                return result
            return PushResult(PushOutcome.SENT)


def build(message: PushMessage, token: str) -> messaging.Message:
    """FCM's form of it: a device shows one message of an id, the latest."""
    name = str(message.id)
    built = messaging.Message(
        data={**message.data, "notification_id": name},
        notification=messaging.Notification(title=message.title, body=message.body or None),
        android=messaging.AndroidConfig(
            collapse_key=name, notification=messaging.AndroidNotification(tag=name)
        ),
        apns=messaging.APNSConfig(headers={"apns-collapse-id": name}),
        webpush=messaging.WebpushConfig(
            headers={"Topic": message.id.hex},  # at most 32 characters
            notification=messaging.WebpushNotification(tag=name),
        ),
    )
    built.token = token  # as an argument it is deprecated, but apps have tokens still
    return built


def judge(error: exceptions.FirebaseError) -> PushResult:
    """What FCM's answer means for this token."""
    if isinstance(error, messaging.UnregisteredError):
        return PushResult(PushOutcome.UNREGISTERED, explain(error))
    if isinstance(error, REFUSALS):
        return PushResult(PushOutcome.REFUSED, explain(error))
    return PushResult(PushOutcome.FAILED, explain(error), retry_after=pause_after(error))


def pause_after(error: exceptions.FirebaseError) -> float | None:
    """For how many seconds FCM wants to hear nothing."""
    headers = {} if error.http_response is None else error.http_response.headers
    asked = headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        quota = isinstance(error, messaging.QuotaExceededError | exceptions.ResourceExhaustedError)
        return QUOTA_PAUSE_SECONDS if quota else None


def explain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
