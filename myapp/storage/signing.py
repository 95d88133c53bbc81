"""Signed URLs of our own: whoever holds one may do one thing to one object for a while."""

import hashlib
import hmac
import json
import math
import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

from myapp.errors import Forbidden

PATH = "/storage"
REFUSAL = "This link is not valid, has expired, or is for content of another size or type"


class UrlSigner:
    """Signs and checks `/storage/{key}?expires=UNIX&signature=HEX`.

    The signature is an HMAC-SHA-256 over method, key, expiry and what else the request has to be
    like, so that none of them can be changed. The host is no part of it: a URL holds whatever
    name the API is reached by.
    """

    def __init__(self, signing_key: bytes, *, clock: Callable[[], float] = time.time) -> None:
        """`signing_key` is secret and serves nothing else; `clock` gives Unix seconds."""
        self._signing_key = signing_key
        self._clock = clock

    def url(self, key: str, *, expires_in: timedelta, filename: str | None = None) -> str:
        """A URL to read an object, relative to the API's address; it may name a file.

        It holds for at least `expires_in` (whole seconds, rounded up) and at most twice as
        long: the expiry falls on a multiple of it, so that one object keeps one URL for that
        time and a browser's cache finds it again.
        """
        expires = self._expiry(expires_in)
        query = {"expires": expires, "signature": self._sign("GET", key, expires, filename or "")}
        return f"{PATH}/{key}?{urlencode(query | ({'filename': filename} if filename else {}))}"

    def upload_url(self, key: str, *, expires_in: timedelta, content_type: str, size: int) -> str:
        """A URL to store an object of this type and exactly this size; it holds as `url` does."""
        expires = self._expiry(expires_in)
        signature = self._sign("PUT", key, expires, content_type, str(size))
        return f"{PATH}/{key}?{urlencode({'expires': expires, 'signature': signature})}"

    def check(self, key: str, *, expires: str, signature: str, filename: str = "") -> int:
        """How many more seconds a URL to read holds.

        Raises Forbidden, in the same words for whatever is wrong.
        """
        return self._check(signature, "GET", key, expires, filename)

    def check_upload(
        self, key: str, *, expires: str, signature: str, content_type: str, size: int | None
    ) -> int:
        """How many more seconds a URL to store such an object holds. Raises Forbidden."""
        return self._check(signature, "PUT", key, expires, content_type, str(size))

    def _expiry(self, expires_in: timedelta) -> str:
        step = max(1, math.ceil(expires_in.total_seconds()))
        return str((int(self._clock()) // step + 2) * step)

    def _check(self, signature: str, method: str, key: str, expires: str, *others: str) -> int:
        wanted = self._sign(method, key, expires, *others)
        if not hmac.compare_digest(wanted.encode(), signature.encode(errors="replace")):
            raise Forbidden(REFUSAL)
        remaining = int(expires) - self._clock()
        if remaining <= 0:
            raise Forbidden(REFUSAL)
        return math.floor(remaining)

    def _sign(self, *parts: str) -> str:
        message = json.dumps(parts).encode()  # no two lists of parts have one text
        return hmac.new(self._signing_key, message, hashlib.sha256).hexdigest()
