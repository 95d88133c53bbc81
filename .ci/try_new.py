"""Tries `myapp new` as a developer would: in a copy, which is then checked and tested."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv" / "bin"
LEFT_OUT = (".git", ".venv*", ".myapp", ".hypothesis", "dist")

# A plain name, one of two words, an irregular plural, and the longest that there may be.
FEATURES = (
    ["invoice"],
    ["line_item"],
    ["category"],
    ["person", "--plural=people"],
    ["a_name_of_only_thirty_letters1"],
)
# Its own tests, and those that look at every route, task, model and migration.
TESTS = (
    *("tests/modules/invoice", "tests/modules/line_item", "tests/modules/category"),
    *("tests/modules/person", "tests/test_access.py", "tests/test_openapi_lint.py"),
    *("tests/test_schema_fuzz.py", "tests/database/test_migration_writer.py", "tests/cli"),
)


def run(copy: Path, program: str, *arguments: str) -> None:
    """Runs a program of this environment in the copy, whose own packages come first."""
    print("+", program, *arguments, flush=True)
    environment = {**os.environ, "PYTHONPATH": str(copy), "DATA_DIR": str(copy / ".myapp")}
    subprocess.run([BIN / program, *arguments], cwd=copy, env=environment, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for feature in FEATURES:
            run(copy, "myapp", "new", *feature)
        run(copy, "ruff", "format", "--check", ".")
        run(copy, "ruff", "check", ".")
        run(copy, "mypy")
        run(copy, "lint-imports")
        run(copy, "pytest", "-q", "--numprocesses=2", "--dist=loadgroup", *TESTS)


try:
    main()
except subprocess.CalledProcessError as error:
    sys.exit(str(error))
