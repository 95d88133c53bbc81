"""Stored objects: one interface, on this machine's disk or elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from myapp.config import ConfigError, Settings
from myapp.storage.base import Storage
from myapp.storage.local import LocalStorage
from myapp.storage.signing import UrlSigner


@asynccontextmanager
async def open_storage(settings: Settings, *, signing_key: bytes) -> AsyncIterator[Storage]:
    """The storage that STORAGE_URL names, for as long as the process runs.

    `signing_key` signs the URLs of local storage and serves nothing else. Raises ConfigError
    when the folder cannot be made. A bucket may be away: it is not asked for anything yet.
    """
    if (settings.storage_url or "").startswith("s3:"):
        from myapp.storage.s3 import S3Storage
        from myapp.storage.s3_client import open_bucket  # half a second that only its users pay

        async with open_bucket(settings) as (bucket, prefix):
            yield S3Storage(bucket, prefix=prefix)
        return
    storage = LocalStorage(local_root(settings), UrlSigner(signing_key))
    try:
        await asyncio.to_thread(storage.make_root)
    except OSError as error:
        variable = "STORAGE_URL" if settings.storage_url else "DATA_DIR"
        raise ConfigError(f"{variable}: files cannot be kept there: {error.strerror}") from error
    yield storage


def local_root(settings: Settings) -> Path:
    """The folder of local storage."""
    if not settings.storage_url:
        return settings.data_dir / "files"
    return Path(unquote(urlsplit(settings.storage_url).path))
