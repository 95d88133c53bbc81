"""Places of their own in a bucket of a real S3 server, one for each test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError
from pydantic import SecretStr

from myapp.config import Settings
from myapp.errors import Unavailable
from myapp.storage import open_storage
from myapp.storage.base import Storage
from myapp.storage.s3_client import client_config, make_session
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, START_SECONDS, Seaweed

# One for all: SeaweedFS sets several volumes aside for each bucket, and soon has no more.
BUCKET = "test-bucket"


class Place:
    """A prefix in the bucket, past everything under test."""

    def __init__(self, client: Any, url: str) -> None:
        self.prefix = f"some/{uuid4().hex[:12]}"
        self.client = client
        self._url = url

    @property
    def settings(self) -> dict[str, Any]:
        """What Settings take to store files here."""
        return {"storage_url": f"s3://{BUCKET}/{self.prefix}", **access(self._url)}

    @property
    def variables(self) -> dict[str, str]:
        """The same for a program's environment."""
        return {
            name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.settings.items()
        }

    async def names(self) -> list[str]:
        """Every object."""
        listed = await self.client.list_objects_v2(Bucket=BUCKET, Prefix=self.prefix)
        return [each["Key"] for each in listed.get("Contents", ())]

    async def uploads(self) -> list[str]:
        """Every upload that has neither been completed nor aborted."""
        listed = await self.client.list_multipart_uploads(Bucket=BUCKET, Prefix=self.prefix)
        return [each["Key"] for each in listed.get("Uploads", ())]

    async def head(self, key: str) -> dict[str, Any]:
        """What the server tells of an object."""
        found: dict[str, Any] = await self.client.head_object(
            Bucket=BUCKET, Key=f"{self.prefix}/{key}"
        )
        return found


def access(url: str) -> dict[str, Any]:
    return {
        "s3_endpoint_url": url,
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SecretStr(SECRET_KEY),
    }


@lru_cache  # to read what S3 can do takes 0.2 s
def session(url: str) -> Any:
    return make_session(Settings(**access(url)))


@asynccontextmanager
async def scratch_place(server: Seaweed) -> AsyncIterator[Place]:
    client = session(server.url).client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        config=client_config(Settings(**access(server.url))),
    )
    async with client as opened:
        async with asyncio.timeout(START_SECONDS):
            while not await is_ready(opened):  # noqa: ASYNC110  # it looks from outside
                await asyncio.sleep(0.1)
        yield Place(opened, server.url)


async def is_ready(client: Any) -> bool:
    """Whether the server stores objects; S3 answers a moment before its volumes are there."""
    with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
        await client.create_bucket(Bucket=BUCKET)
    try:
        await client.put_object(Bucket=BUCKET, Key="probe", Body=b"probe")
    except ClientError:
        return False
    return True


@asynccontextmanager
async def s3_storage(place: Place) -> AsyncIterator[Storage]:
    async with open_storage(Settings(**place.settings), signing_key=b"unused") as storage:
        yield storage


@asynccontextmanager
async def outage(server: Seaweed, storage: Storage) -> AsyncIterator[None]:
    """The server is away at the block's end at the latest, and back, for all, after it."""
    try:
        yield
    finally:
        server.kill()
        await asyncio.to_thread(server.start)
    async with asyncio.timeout(START_SECONDS):
        while not await stores(storage):  # noqa: ASYNC110  # it looks from outside
            await asyncio.sleep(0.1)


async def stores(storage: Storage) -> bool:
    try:
        await storage.check()
    except Unavailable:
        return False
    return True
