"""What a new feature may not be called, for the program has it already."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path

from quart import Quart
from tortoise.models import Model

from myapp.database.connection import MODELS
from myapp.database.migration_writer import draft
from myapp.module import Module
from myapp.openapi import openapi_document
from myapp.scaffold.names import Names
from myapp.scaffold.refusal import Refused
from myapp.scaffold.registration import identifiers
from myapp.scaffold.rendering import render

REGISTRY = Path("myapp/registry.py")


def check_free(names: Names, root: Path, *, app: Quart, tasks: Iterable[str]) -> None:
    """Raises Refused, with the first thing that has one of these names."""
    written = render(names)
    for path in written:
        if (root / path).exists():
            raise Refused(f"{path} is there already")
    defined = {name for text in written.values() for name in definitions(text)}
    schemas = openapi_document(app)["components"]["schemas"]
    for what, wanted, taken in (
        ("a model", defined, (model.__name__ for model in models())),
        ("a table", {names.many}, (model._meta.db_table for model in models())),  # noqa: SLF001  # the only place where it stands
        ("a route", {names.placeholders["path"]}, first_segments(app)),
        ("an operation", defined, (view.__name__ for view in app.view_functions.values())),
        ("a schema of the API", defined, schemas),
        ("a family of tasks", {names.one}, (task.partition(":")[0] for task in tasks)),
        ("a field of Module", {names.many}, (field.name for field in fields(Module))),
        (
            "something in myapp/registry.py",
            {names.one},
            identifiers((root / REGISTRY).read_text("utf-8")),
        ),
    ):
        if both := wanted & set(taken):
            raise Refused(f"{min(both)!r} is {what} already")


def definitions(source: str) -> Iterator[str]:
    """The classes of a module and their methods."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
            yield from (each.name for each in node.body if isinstance(each, ast.AsyncFunctionDef))


def models() -> Iterator[type[Model]]:
    for module in map(import_module, MODELS):
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Model) and not found._meta.abstract:  # noqa: SLF001  # Tortoise has no other way to ask
                yield found


def first_segments(app: Quart) -> Iterator[str]:
    return (rule.rule.split("/")[1] for rule in app.url_map.iter_rules())


async def check_migrated(root: Path) -> None:
    """Raises Refused while the models have changes that the new migration would take along."""
    if (await draft("sqlite", root / "migrations")).changes:
        raise Refused("The models have changes without a migration: run makemigrations first")
