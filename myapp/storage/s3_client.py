"""The way to a bucket: one client session, whose failures become ours."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import aioboto3
import aiohttp
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from myapp.config import ConfigError, Settings
from myapp.errors import NotFound, Unavailable

CONNECT_SECONDS = 3.0
READ_SECONDS = 20.0  # for the answer, or for more of it
ATTEMPTS = 2  # the second is for a connection that has died since it was last used
CONNECTIONS = 64
DEFAULT_REGION = "us-east-1"  # R2 takes it for its own "auto"
MISSING = frozenset({"NoSuchKey", "NoSuchUpload", "NotFound", "404"})

log = structlog.get_logger()


class Bucket:
    """One bucket. Every method raises Unavailable while the store is out of reach."""

    def __init__(self, client: Any, name: str) -> None:
        self.name = name
        self._client = client

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """One request. Raises NotFound for an object or an upload that is not there."""
        with s3_errors():
            answer: dict[str, Any] = await getattr(self._client, operation)(
                Bucket=self.name, **arguments
            )
        return answer

    async def read(self, body: Any, size: int) -> AsyncIterator[bytes]:
        """The body of an answer, in blocks of at most `size`."""
        async with body:
            while True:
                with s3_errors():
                    block: bytes = await body.read(size)
                if not block:
                    return
                yield block

    async def list(self, operation: str, prefix: str, field: str) -> AsyncIterator[dict[str, Any]]:
        """All that a listing has, page by page."""
        pages = self._client.get_paginator(operation).paginate(Bucket=self.name, Prefix=prefix)
        pages = aiter(pages)
        while True:
            with s3_errors():
                page = await anext(pages, None)
            if page is None:
                return
            for each in page.get(field, ()):
                yield each

    async def sign(self, operation: str, arguments: dict[str, Any], expires_in: int) -> str:
        """A URL that does one operation, for so many seconds. Nothing is asked of the store."""
        with s3_errors():
            url: str = await self._client.generate_presigned_url(
                operation, Params={"Bucket": self.name, **arguments}, ExpiresIn=expires_in
            )
        return url


@contextmanager
def s3_errors() -> Iterator[None]:
    """Whatever a store refuses but a missing object, the caller can only come back later."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if code in MISSING:
            raise NotFound from None
        log.warning("storage refused", operation=error.operation_name, code=code)
        raise Unavailable("Storage is out of reach or full") from error
    except (BotoCoreError, aiohttp.ClientError, TimeoutError) as error:
        log.warning("storage failed", reason=type(error).__name__)
        raise Unavailable("Storage is out of reach or full") from error


@asynccontextmanager
async def open_bucket(settings: Settings) -> AsyncIterator[tuple[Bucket, str]]:
    """The bucket that STORAGE_URL names, with its prefix, for as long as the process runs.

    Nothing is asked of it: it may be away. Raises ConfigError.
    """
    name, prefix = bucket_of(settings)
    session = make_session(settings)
    try:
        client = session.client(
            "s3",
            region_name=session.region_name or DEFAULT_REGION,
            endpoint_url=settings.s3_endpoint_url,
            config=client_config(settings),
        )
        entered = await client.__aenter__()
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(f"STORAGE_URL: {error}") from error
    try:
        yield Bucket(entered, name), prefix
    finally:
        await client.__aexit__(None, None, None)


def bucket_of(settings: Settings) -> tuple[str, str]:
    """The bucket's name, and the prefix, which is empty or ends with `/`."""
    url = urlsplit(settings.storage_url or "")
    path = url.path.strip("/")
    return url.netloc, f"{path}/" if path else ""


def make_session(settings: Settings) -> Any:
    """Credentials from the settings, else from wherever AWS's own tools find them."""
    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    return aioboto3.Session(
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        aws_session_token=token.get_secret_value() if token else None,
        region_name=settings.aws_region,
    )


def client_config(settings: Settings) -> Config:
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
        # Stores other than S3 do not all take the checksums that botocore adds by default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
