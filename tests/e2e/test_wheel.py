"""The program as it is installed, and not as it lies in a checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import environment, run_program

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the package from its wheel, and nothing of the checkout."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*pip, *build, str(CHECKOUT)], check=True)
    (wheel,) = tmp_path.glob("myapp-*.whl")
    target = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True)
    return target


def test_migrates_and_starts_from_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    env = environment(tmp_path / "data", PYTHONPATH=str(installed))
    done = run_program("migrate", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "applied" in done.stdout
    assert "/auth/me" in run_program("routes", env=env, cwd=tmp_path).stdout
