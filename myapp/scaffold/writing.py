"""Writing a feature into the checkout: all of it or nothing.

It is made and tried in a copy of the checkout first. What goes wrong there leaves no trace.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import myapp
from myapp.scaffold.clashes import REGISTRY
from myapp.scaffold.names import Names
from myapp.scaffold.refusal import Refused
from myapp.scaffold.registration import append_to_import, append_to_tuple
from myapp.scaffold.rendering import render

MODELS_LIST = Path("myapp/database/connection.py")
PARTS = ("myapp", "migrations", "tests", "benchmarks", "pyproject.toml")  # tests try benchmarks too
HALF_WRITTEN = "*.pyc.*"  # by a Python that compiles at this moment; gone in the next
SECONDS = 300.0  # for one command, which takes one or two


@dataclass(frozen=True, slots=True)
class Written:
    """The new files and the changed ones, by their paths in the checkout."""

    new: tuple[Path, ...]
    changed: tuple[Path, ...]


def find_checkout() -> Path:
    """The folder of the source. Raises Refused for an installed package."""
    root = Path(myapp.__file__).parents[1]
    if not all((root / part).exists() for part in PARTS):
        raise Refused("Features are written in a checkout, not in an installed package")
    return root


def check_tools() -> None:
    """Raises Refused without ruff."""
    if find_spec("ruff") is None:
        raise Refused("ruff is missing, which shapes what is written: make check installs it")


def write_feature(names: Names, root: Path) -> Written:
    """Makes the feature in a copy, tries it there, and moves it in. Raises Refused."""
    with TemporaryDirectory(prefix="myapp-new-") as folder:
        copy = Path(folder)
        copy_checkout(root, copy)
        own = render(names)
        changed = register(names, copy)
        for path, text in own.items():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text(text, "utf-8")
        shape([*own, *changed], copy)
        migrations = make_migration(names, copy)
        run("myapp", "openapi", "--output", os.devnull, cwd=copy)  # all of it is built
        # What enters it into the lists comes last: until then nothing of it is in force.
        files = {path: (copy / path).read_bytes() for path in (*own, *migrations, *changed)}
    move_in(files, root)
    return Written((*own, *migrations), changed)


def copy_checkout(root: Path, copy: Path) -> None:
    """With the compiled files, and their times: nothing is compiled again."""
    for part in PARTS:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns(HALF_WRITTEN))
        else:
            shutil.copy2(source, copy)


def register(names: Names, root: Path) -> tuple[Path, ...]:
    """Enters the feature and its model into the lists; returns the files that have them."""
    registry, connection = root / REGISTRY, root / MODELS_LIST
    text = append_to_import(registry.read_text("utf-8"), "myapp.modules", names.one)
    registry.write_text(append_to_tuple(text, "FEATURES", names.one), "utf-8")
    model = f'"myapp.database.{names.one}"'
    text = append_to_tuple(connection.read_text("utf-8"), "MODELS", model)
    connection.write_text(text, "utf-8")
    return (REGISTRY, MODELS_LIST)


def shape(paths: Iterable[Path], root: Path) -> None:
    """Imports in their order, lines of their length; what the linter still finds is refused."""
    files = [str(path) for path in paths]
    run("ruff", "check", "--quiet", "--select=I", "--fix", *files, cwd=root)
    run("ruff", "format", "--quiet", *files, cwd=root)
    run("ruff", "check", "--quiet", "--output-format=concise", *files, cwd=root)


def make_migration(names: Names, root: Path) -> tuple[Path, ...]:
    before = set(root.glob("migrations/*/*.py"))
    run("myapp", "makemigrations", names.many, cwd=root)
    return tuple(
        path.relative_to(root) for path in sorted(set(root.glob("migrations/*/*.py")) - before)
    )


def run(module: str, *arguments: str, cwd: Path) -> None:
    """Runs a module of this Python on the copy. Raises Refused with its first line of complaint."""
    done = subprocess.run(  # noqa: S603  # our own programs
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        complaint = (done.stderr.strip() or done.stdout.strip() or "it failed").splitlines()
        # A traceback says it last, a linter first.
        said = complaint[-1 if complaint[0].startswith("Traceback") else 0]
        raise Refused(f"{module} {arguments[0]} refuses what would be written: {said}")


def move_in(files: dict[Path, bytes], root: Path) -> None:
    """Writes the files, each whole or not at all; when one cannot be, the others go back."""
    before = {path: (root / path).read_bytes() for path in files if (root / path).exists()}
    folders = {
        root / folder for path in files for folder in path.parents if not (root / folder).exists()
    }
    begun: list[Path] = []
    try:
        for path, content in files.items():
            begun.append(path)
            replace(root / path, content)
    except BaseException as error:
        for path in begun:
            if path in before:
                replace(root / path, before[path])
            else:
                with suppress(OSError):  # what could not be made need not go
                    (root / path).unlink()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise Refused(f"Nothing was written: {error.filename}: {error.strerror}") from None
        raise


def replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_bytes(content)
        if path.exists():
            shutil.copymode(path, draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
