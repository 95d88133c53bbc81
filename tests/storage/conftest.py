from pathlib import Path

import pytest

from myapp.storage.local import LocalStorage
from myapp.storage.signing import UrlSigner

SIGNING_KEY = b"a signing key of thirty-two bytes"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def local(root: Path) -> LocalStorage:
    storage = LocalStorage(root, UrlSigner(SIGNING_KEY))
    storage.make_root()
    return storage
