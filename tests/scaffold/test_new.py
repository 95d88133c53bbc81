"""`myapp new`, as it is used: in a checkout, whose copy it changes."""

import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import myapp
from myapp.scaffold.writing import PARTS, copy_checkout
from tests.support.program import environment

ROOT = Path(myapp.__file__).parents[1]
SECONDS = 300.0

pytestmark = [pytest.mark.xdist_group("scaffold"), pytest.mark.timeout(300)]


def run(copy: Path, program: str, *arguments: str) -> CompletedProcess[str]:
    """Runs a program of this environment in the copy, whose own packages come first."""
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=copy,
        env=environment(copy / "data", PYTHONPATH=str(copy)),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def files_of(copy: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(copy)): path.read_bytes()
        for part in PARTS
        for path in ([copy / part] if (copy / part).is_file() else (copy / part).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    copy_checkout(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def before(copy: Path) -> dict[str, bytes]:
    return files_of(copy)


@pytest.fixture(scope="module")
def done(copy: Path, before: dict[str, bytes]) -> CompletedProcess[str]:
    """The feature is there."""
    return run(copy, "myapp", "new", "invoice")


def test_says_what_it_wrote_and_what_comes_next(
    copy: Path, before: dict[str, bytes], done: CompletedProcess[str]
) -> None:
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    after = files_of(copy)
    assert {line.removeprefix("wrote ") for line in said if line.startswith("wrote")} == (
        after.keys() - before.keys()
    )
    assert {line.removeprefix("changed ") for line in said if line.startswith("changed")} == {
        path for path in before if before[path] != after[path]
    }
    assert "/invoices" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command", [("ruff", "format", "--check", "."), ("ruff", "check", ".")], ids=" ".join
)
def test_passes_the_linter(
    copy: Path, done: CompletedProcess[str], command: tuple[str, ...]
) -> None:
    linted = run(copy, *command)
    assert linted.returncode == 0, linted.stdout


def test_keeps_the_import_contracts(copy: Path, done: CompletedProcess[str]) -> None:
    kept = run(copy, "lint-imports")
    assert kept.returncode == 0, kept.stdout


def test_a_second_time_it_changes_nothing(copy: Path, done: CompletedProcess[str]) -> None:
    before = files_of(copy)
    again = run(copy, "myapp", "new", "invoice")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert files_of(copy) == before


def test_a_failure_leaves_the_tree_as_it_was(copy: Path, done: CompletedProcess[str]) -> None:
    """A list that is not where it should be is found when the rest is made already."""
    registry = copy / "myapp" / "registry.py"
    kept = registry.read_text()
    try:
        registry.write_text(kept.replace("FEATURES", "ALL_FEATURES"))
        before = files_of(copy)
        failed = run(copy, "myapp", "new", "category")
        assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
        assert "FEATURES" in failed.stderr
        assert files_of(copy) == before
    finally:
        registry.write_text(kept)
