"""What is installed is what was locked."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "benchmarks/requirements.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_release_is_locked_by_the_hashes_of_its_files(lock: str) -> None:
    text = (ROOT / lock).read_text()
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) > 30
    for block in blocks:
        assert re.match(r"[\w.\[\]-]+==\S+", block), block
        assert "--hash=sha256:" in block, block


@pytest.mark.parametrize("file", ["Makefile", "Dockerfile"])
def test_they_are_asked_for_wherever_one_is_installed(file: str) -> None:
    """Nothing but what the lock names: pip resolving for itself takes newer releases of extras."""
    installs = [
        line
        for line in (ROOT / file).read_text().splitlines()
        if "install" in line.lower() and "--requirement" in line and "lock" in line
    ]
    assert installs
    assert all("--require-hashes --no-deps" in line for line in installs)
