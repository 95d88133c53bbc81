"""The program as it is installed, and not as it lies in a checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import environment, run_program

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package from its wheel, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *build, str(CHECKOUT)], check=True)
    (wheel,) = folder.glob("myapp-*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True)
    return target


def test_writes_no_feature_into_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    env = environment(tmp_path / "data", PYTHONPATH=str(installed))
    done = run_program("new", "invoice", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "checkout" in done.stderr


def test_migrates_and_starts_from_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    env = environment(tmp_path / "data", PYTHONPATH=str(installed))
    done = run_program("migrate", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "applied" in done.stdout
    assert "/auth/me" in run_program("routes", env=env, cwd=tmp_path).stdout
