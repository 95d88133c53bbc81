"""Firebase Auth's list of people, through firebase-admin."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import firebase_admin
from firebase_admin import auth, exceptions
from google.auth.exceptions import GoogleAuthError

from myapp.errors import Invalid, Unavailable
from myapp.identity.base import UNFIT_FOR_TEXT
from myapp.identity.directory import Listing, Person
from myapp.identity.firebase import open_app, read_key

PAGE = 1000  # the most that Firebase gives
HTTP_SECONDS = 30.0  # a page of a thousand takes a while

Result = TypeVar("Result")


class FirebaseDirectory:
    """Asks Firebase, one question at a time. See Directory."""

    def __init__(self, *, project_id: str | None, credentials: str | None) -> None:
        """Credentials may be missing with the emulator only. Raises ConfigError."""
        key = read_key(credentials) if credentials else None
        self._app = open_app(key, project_id=project_id, http_timeout=HTTP_SECONDS)
        self._client = auth.Client(self._app)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="directory")

    async def list_page(self, token: str | None) -> Listing:
        page = await self._ask(partial(self._client.list_users, token, PAGE))
        people = [person_from(user) for user in page.users]
        return Listing(people, page.next_page_token or None)

    async def find_missing(self, uids: Sequence[str]) -> frozenset[str]:
        wanted = [auth.UidIdentifier(uid) for uid in uids]
        found = await self._ask(partial(self._client.get_users, wanted))
        present = {user.uid for user in found.users}
        # Both have to say so: an answer without either list is no reason to delete anybody.
        return frozenset({each.uid for each in found.not_found} - present)

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        firebase_admin.delete_app(self._app)

    async def _ask(self, question: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, question)
        except exceptions.InvalidArgumentError as error:
            raise Invalid("Firebase does not take this page token any more") from error
        except (exceptions.FirebaseError, GoogleAuthError) as error:
            raise Unavailable("Firebase cannot be asked for its users") from error


def person_from(user: Any) -> Person:
    return Person(
        uid=user.uid,
        email=text(user.email),
        email_verified=bool(user.email_verified),
        name=text(user.display_name),
        disabled=bool(user.disabled),
    )


def text(value: object) -> str | None:
    return UNFIT_FOR_TEXT.sub("", value).strip() or None if isinstance(value, str) else None
