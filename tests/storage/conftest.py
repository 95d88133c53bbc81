"""Both kinds of storage."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from myapp.storage.base import Storage
from myapp.storage.local import LocalStorage
from myapp.storage.signing import UrlSigner
from tests.support.buckets import Place, s3_storage, scratch_place
from tests.support.seaweed import Seaweed

SIGNING_KEY = b"a signing key of thirty-two bytes"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def local(root: Path) -> LocalStorage:
    storage = LocalStorage(root, UrlSigner(SIGNING_KEY))
    storage.make_root()
    return storage


@pytest.fixture
async def place(seaweed: Seaweed) -> AsyncIterator[Place]:
    async with scratch_place(seaweed) as found:
        yield found


@pytest.fixture
async def s3(place: Place) -> AsyncIterator[Storage]:
    async with s3_storage(place) as storage:
        yield storage
