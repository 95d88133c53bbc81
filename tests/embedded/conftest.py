import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.users import Start, User, is_served, soon


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that is not there yet, whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="myapp-test-", dir="/tmp"))
    yield folder / "data"
    assert soon(lambda: not is_served(folder / "data")), "something is left running"
    shutil.rmtree(folder)


@pytest.fixture
def start(data_dir: Path) -> Iterator[Start]:
    """Starts users; they are killed when the test is over, and their server must go too."""
    users: list[User] = []

    def start(*program: str, folder: Path = data_dir) -> User:
        users.append(User(folder, *program))
        return users[-1]

    yield start
    for user in users:
        user.kill()
