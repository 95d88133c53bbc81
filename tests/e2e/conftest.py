"""The real program, each time in a folder of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.program import Program, environment, running_program

Start = Callable[..., Program]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def env(folder: Path) -> dict[str, str]:
    return environment(folder)


@pytest.fixture
def start(env: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts the program with these arguments and environment variables."""
    with ExitStack() as stack:

        def begin(*arguments: str, **variables: str) -> Program:
            running = running_program(*arguments, env={**env, **variables}, cwd=tmp_path)
            return stack.enter_context(running)

        yield begin
