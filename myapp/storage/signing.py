"""Signed URLs of our own: whoever holds one may do one thing to one object for a while."""

import hashlib
import hmac
import math
import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

from myapp.errors import Forbidden

PATH = "/storage"


class UrlSigner:
    """Signs and checks `/storage/{key}?expires=UNIX&signature=HEX`.

    The signature is an HMAC-SHA-256 over method, key and expiry, so that none of them can be
    changed. The host is no part of it: a URL holds whatever name the API is reached by.
    """

    def __init__(self, signing_key: bytes, *, clock: Callable[[], float] = time.time) -> None:
        """`signing_key` is secret and serves nothing else; `clock` gives Unix seconds."""
        self._signing_key = signing_key
        self._clock = clock

    def url(self, key: str, *, expires_in: timedelta, method: str = "GET") -> str:
        """The URL, relative to the API's address.

        It holds for at least `expires_in` (whole seconds, rounded up) and at most twice as
        long: the expiry falls on a multiple of it, so that one object keeps one URL for that
        time and a browser's cache finds it again.
        """
        step = max(1, math.ceil(expires_in.total_seconds()))
        expires = str((int(self._clock()) // step + 2) * step)
        query = {"expires": expires, "signature": self._signature(method, key, expires)}
        return f"{PATH}/{key}?{urlencode(query)}"

    def check(self, key: str, *, method: str, expires: str, signature: str) -> int:
        """How many more seconds the URL holds; a URL for GET answers HEAD too.

        Raises Forbidden, in the same words for whatever is wrong.
        """
        signed_method = "GET" if method == "HEAD" else method
        wanted = self._signature(signed_method, key, expires)
        if not hmac.compare_digest(wanted.encode(), signature.encode(errors="replace")):
            raise Forbidden("This link is not valid, or it has expired")
        remaining = int(expires) - self._clock()
        if remaining <= 0:
            raise Forbidden("This link is not valid, or it has expired")
        return math.floor(remaining)

    def _signature(self, method: str, key: str, expires: str) -> str:
        message = "\n".join((method, expires, key)).encode(errors="replace")
        return hmac.new(self._signing_key, message, hashlib.sha256).hexdigest()
