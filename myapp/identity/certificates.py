"""The certificates that Firebase signs with: fetched by one, kept as long as Google says."""

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import structlog
from google.auth.crypt import RSAVerifier
from google.auth.exceptions import TransportError
from google.auth.transport.requests import Request

from myapp.errors import Unavailable
from myapp.identity.single_flight import SingleFlight

CERTIFICATES_URL = (
    "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
)
SHORTEST_LIFE_SECONDS = 60.0  # also when the answer forbids to keep it: it is asked for often
LONGEST_LIFE_SECONDS = 86_400.0

OUT_OF_REACH = "The identity provider is out of reach"

log = structlog.get_logger()

RunInThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class Response(Protocol):
    """What google.auth gets from a transport."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Certificates:
    """What firebase-admin takes for its HTTP transport: it answers from memory alone.

    Its own fetches the certificates in every thread that finds none, and waits in each for a
    server that does not answer.
    """

    def __init__(
        self, run_in_thread: RunInThread, *, url: str = CERTIFICATES_URL, timeout: float
    ) -> None:
        """`timeout` in seconds, for connecting and for each read."""
        self._run_in_thread = run_in_thread
        self._url = url
        self._timeout = timeout
        self._request = Request()
        self._response: Response | None = None
        self._good_until = 0.0
        self._flight: SingleFlight[str, Response] = SingleFlight()

    async def ensure(self) -> None:
        """Fetches the certificates where there are none, or only old ones.

        One download however many ask; all of them share its failure, which is Unavailable.
        """
        if self._response is None or time.monotonic() >= self._good_until:
            await self._flight.run(self._url, self._fetch, keep=self._keep)

    def __call__(self, url: str, **_: Any) -> Response:
        """The transport's part, called by firebase-admin in its thread."""
        if self._response is None:
            raise RuntimeError(f"ensure() comes before {url}")
        return self._response

    def close(self) -> None:
        self._request.session.close()

    async def _fetch(self) -> Response:
        try:
            response: Response = await self._run_in_thread(self._download)
        except (TransportError, OSError, ValueError) as error:
            log.warning("certificates not fetched", url=self._url, error=str(error))
            raise Unavailable(OUT_OF_REACH) from error
        return response

    def _download(self) -> Response:
        response: Response = self._request(self._url, timeout=self._timeout)
        if response.status != HTTPStatus.OK:
            raise ValueError(f"The answer has status {response.status}")
        check_certificates(response.data)
        return response

    def _keep(self, response: Response) -> None:
        self._response = response
        self._good_until = time.monotonic() + lifetime_of(response.headers)


def check_certificates(document: bytes) -> None:
    """Raises ValueError for what is no map of key ids to certificates.

    firebase-admin would lay a proxy's page with status 200 at the token's door: a 401.
    """
    certificates = json.loads(document)
    if not isinstance(certificates, dict) or not certificates:
        raise ValueError("The answer holds no certificates")
    for certificate in certificates.values():
        RSAVerifier.from_string(str(certificate))  # type: ignore[no-untyped-call]  # not typed


def lifetime_of(headers: Mapping[str, str]) -> float:
    """For how many seconds an answer stays good, by its Cache-Control and its Age."""
    max_age = re.search(r"max-age=(\d{1,9})", headers.get("cache-control", ""))
    age = re.fullmatch(r"\d{1,9}", headers.get("age", ""))
    left = (int(max_age[1]) if max_age else 0) - (int(age[0]) if age else 0)
    return min(max(left, SHORTEST_LIFE_SECONDS), LONGEST_LIFE_SECONDS)
