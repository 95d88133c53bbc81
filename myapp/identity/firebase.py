"""The identity provider for production: Firebase Auth, through firebase-admin.

The only importer of firebase-admin for identities; importing it takes a quarter of a second, so
this module is imported only where Firebase is the provider.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import firebase_admin
import structlog
from firebase_admin import auth, exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError

from myapp.config import ConfigError
from myapp.errors import Unauthenticated, Unavailable
from myapp.identity.base import CLOCK_SKEW_SECONDS, Identity, NotYetValid, SignIn, identity_from
from myapp.identity.certificates import CERTIFICATES_URL, OUT_OF_REACH, Certificates

EMULATOR_VARIABLE = "FIREBASE_AUTH_EMULATOR_HOST"
HTTP_TIMEOUT_SECONDS = 5.0  # firebase-admin's default is 120
VERIFY_SECONDS = 8.0  # firebase-admin tries again up to four times after a 500 or a 503
THREADS = 16  # they mostly wait for Google's answer on revocation

# How firebase-admin fails on what is not even wrong, such as text where a number belongs.
NONSENSE = (ValueError, TypeError, AttributeError, KeyError, RecursionError)

log = structlog.get_logger()

Result = TypeVar("Result")


class FirebaseProvider:
    """Verifies Firebase ID tokens, and that they were not revoked where it may ask: with
    credentials, or at the emulator.
    """

    def __init__(
        self,
        *,
        project_id: str | None,
        credentials: str | None = None,
        emulator_host: str | None = None,
        certificates_url: str = CERTIFICATES_URL,
        http_timeout: float = HTTP_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`credentials` is a service account's key as JSON, or the path to it.

        The project is the key's own where `project_id` is missing. Raises ConfigError. Since
        firebase-admin reads the emulator's address from the environment at each verification,
        and accepts unsigned tokens with it, the environment is brought in line here.
        """
        point_at_emulator(emulator_host)
        key = read_key(credentials) if credentials else None
        self._app = open_app(key, project_id=project_id, http_timeout=http_timeout)
        self._checks_revocation = bool(key or emulator_host)  # the emulator answers everybody
        self._denied = False
        self._needs_certificates = not emulator_host
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="firebase")
        self._certificates = Certificates(
            self._in_thread, url=certificates_url, timeout=http_timeout
        )
        self._client = auth.Client(self._app)
        # There is no public way to give it a transport.
        self._client._token_verifier.request = self._certificates  # noqa: SLF001
        self._clock = clock

    async def verify(self, token: str) -> Identity:
        """See IdentityProvider."""
        try:
            async with asyncio.timeout(VERIFY_SECONDS):
                if self._needs_certificates:
                    await self._certificates.ensure()
                claims = await self._in_thread(partial(self._verify, token))
        except TimeoutError:
            raise Unavailable(OUT_OF_REACH) from None
        return identity_from(claims, now=self._clock())

    async def find_ended(self, sign_ins: Collection[SignIn]) -> frozenset[SignIn]:
        """See IdentityProvider."""
        if not self._checks_revocation:
            return frozenset()
        try:
            async with asyncio.timeout(VERIFY_SECONDS):
                return await self._in_thread(partial(self._find_ended, sign_ins))
        except TimeoutError:
            raise Unavailable(OUT_OF_REACH) from None

    async def close(self) -> None:
        """Ends the threads without waiting for Google; what is under way there is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._certificates.close()
        firebase_admin.delete_app(self._app)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _verify(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that is genuine and not revoked; runs in a thread."""
        claims = self._check_token(token)
        if self._checks_revocation:
            self._check_owner(claims)
        return claims

    def _check_token(self, token: str) -> Mapping[str, Any]:
        try:
            claims: Mapping[str, Any] = self._client.verify_id_token(
                token, clock_skew_seconds=CLOCK_SKEW_SECONDS
            )
        except auth.InvalidIdTokenError as error:
            raise refusal_for(error) from error
        except (exceptions.FirebaseError, GoogleAuthError) as error:
            raise out_of_reach(error) from error
        except NONSENSE as error:
            raise Unauthenticated("The token is malformed") from error
        return claims

    def _check_owner(self, claims: Mapping[str, Any]) -> None:
        """Asks Firebase: a call of its own, since nonsense in its answer is not the token's."""
        try:
            issued_at = float(claims["iat"])
        except NONSENSE as error:  # of an unsigned one
            raise Unauthenticated("The token is malformed") from error
        try:
            owner = self._client.get_user(claims["uid"])
            revoked = is_revoked(issued_at, owner)
        except auth.UserNotFoundError as error:
            raise Unauthenticated("The identity was deleted") from error
        except exceptions.PermissionDeniedError as error:
            self._tell_denied(error)
            return
        except (exceptions.FirebaseError, GoogleAuthError, *NONSENSE) as error:
            raise out_of_reach(error) from error
        if owner.disabled:
            raise Unauthenticated("The identity is disabled")
        if revoked:
            raise Unauthenticated("The token was revoked")

    def _find_ended(self, sign_ins: Collection[SignIn]) -> frozenset[SignIn]:
        """Runs in a thread."""
        uids = {sign_in.uid for sign_in in sign_ins}
        try:
            answer = self._client.get_users([auth.UidIdentifier(uid) for uid in uids])
            owners = {owner.uid: owner for owner in answer.users}
            return frozenset(each for each in sign_ins if has_ended(each, owners.get(each.uid)))
        except exceptions.PermissionDeniedError as error:
            self._tell_denied(error)
            return frozenset()
        except (exceptions.FirebaseError, GoogleAuthError, *NONSENSE) as error:
            raise out_of_reach(error) from error

    def _tell_denied(self, error: exceptions.PermissionDeniedError) -> None:
        """Once: the credentials do not allow to ask, so that tokens are good until they expire."""
        if not self._denied:
            self._denied = True
            log.warning("revocation is not checked: no permission to ask", error=str(error))


def has_ended(sign_in: SignIn, owner: auth.UserRecord | None) -> bool:
    """Whether a token of theirs is good no more. An owner of None is one who was deleted."""
    return owner is None or bool(owner.disabled) or is_revoked(sign_in.issued_at, owner)


def is_revoked(issued_at: float, owner: auth.UserRecord) -> bool:
    return issued_at * 1000 < owner.tokens_valid_after_timestamp  # type: ignore[no-any-return]  # not typed


def refusal_for(error: auth.InvalidIdTokenError) -> Unauthenticated:
    if isinstance(error, auth.ExpiredIdTokenError):
        return Unauthenticated("The token has expired")
    if "used too early" in str(error):  # it has no type of its own
        return NotYetValid()
    return Unauthenticated("The token is not genuine")


def out_of_reach(error: Exception) -> Unavailable:
    log.warning("firebase gave no answer", error=repr(error))
    return Unavailable(OUT_OF_REACH)


def point_at_emulator(host: str | None) -> None:
    if host:
        if "/" in host:
            raise ConfigError(f"{EMULATOR_VARIABLE}: takes host:port")
        os.environ[EMULATOR_VARIABLE] = host
    else:
        os.environ.pop(EMULATOR_VARIABLE, None)


def read_key(credentials: str) -> dict[str, Any]:
    """A service account's key from its JSON, or from the file at that path."""
    try:
        inline = credentials.lstrip().startswith("{")
        key: dict[str, Any] = json.loads(credentials if inline else Path(credentials).read_text())
    except (OSError, ValueError):
        raise ConfigError("FIREBASE_CREDENTIALS: is neither a readable file nor JSON") from None
    return key


def open_app(
    key: dict[str, Any] | None, *, project_id: str | None, http_timeout: float
) -> firebase_admin.App:
    """An app of our own name: the default one would be shared with whoever else made it."""
    try:
        credential = (
            firebase_admin.credentials.Certificate(key) if key else AnonymousCredentials()  # type: ignore[no-untyped-call]  # not typed
        )
    except ValueError:
        raise ConfigError("FIREBASE_CREDENTIALS: is no service account key") from None
    options = {"projectId": project_id, "httpTimeout": http_timeout}
    app = firebase_admin.initialize_app(credential, options, name=f"myapp-identity-{uuid4()}")
    if not app.project_id:
        firebase_admin.delete_app(app)
        raise ConfigError("FIREBASE_PROJECT_ID: is needed with AUTH_PROVIDER=firebase")
    return app
