"""One program for nearly all of these tests: each is somebody new, so that none depends on another.

Most are of one xdist group, so that one worker starts it once; what takes long has its own, so that
no worker is left with all of it in the end.
"""

from collections.abc import Iterator

import pytest

from tests.support.outside import Outside
from tests.support.program import environment, running_program


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """Every role on the embedded default."""
    folder = tmp_path_factory.mktemp("contract")
    env = environment(folder / "data", RATE_LIMIT_FAILED_SIGN_IN="off")
    with running_program(env=env, cwd=folder) as program:
        outside = Outside(program, env, folder)
        with outside.api:
            yield outside
