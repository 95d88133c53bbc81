"""The command line as a person uses it: a process, its output and its exit status."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.program import environment, run_program

MyApp = Callable[..., CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def myapp(folder: Path, tmp_path: Path) -> MyApp:
    """`myapp("token", "ada@example.com", APP_ENV="production")`."""

    def run(*arguments: str, **variables: str) -> CompletedProcess[str]:
        return run_program(*arguments, env=environment(folder, **variables), cwd=tmp_path)

    return run
