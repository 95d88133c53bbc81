"""Storage: an object is written, read back and removed."""

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from myapp.config import SECRET_KEY_BYTES, Settings
from myapp.doctor.findings import Finding, failed, ok
from myapp.doctor.running import in_daemon_thread
from myapp.storage import local_root, open_storage
from myapp.storage.base import Storage

CONTENT = b"written by myapp doctor, and removed at once"
NAME = "storage"


async def look_at_storage(settings: Settings) -> Sequence[Finding]:
    """Raises Unavailable, with the store's own word behind it. A missing folder is not made."""
    bucket = (settings.storage_url or "").startswith("s3:")
    place = settings.storage_url if bucket else str(local_root(settings))
    if not bucket and not await in_daemon_thread(local_root(settings).is_dir):
        return [ok(NAME, f"There are no files yet: the first start makes {place}")]
    # The key signs URLs, and none is asked for.
    async with open_storage(settings, signing_key=bytes(SECRET_KEY_BYTES)) as storage:
        content = await probe(storage)
    if content != CONTENT:
        message = f"{place} gave back something else than was written"
        return [failed(NAME, message, "Look for a cache or a proxy in between")]
    return [ok(NAME, f"{place} takes an object, gives it back and removes it")]


async def probe(storage: Storage) -> bytes:
    """What an object holds that was just written; it is removed whatever happens."""
    key = f"doctor/{uuid4().hex}"
    try:
        await storage.put(key, chunks_of(CONTENT), content_type="text/plain")
        async with storage.open(key) as found:
            return b"".join([block async for block in found.read()])
    finally:
        await storage.delete(key)


async def chunks_of(content: bytes) -> AsyncIterator[bytes]:
    yield content
