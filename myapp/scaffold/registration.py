"""Entering a feature into the two lists that name every one, as an editor would.

Python's own parser says where a list stands, so that neither comments nor its layout matter; what
is inserted is put into shape by ruff.
"""

import ast
from collections.abc import Iterator

from myapp.scaffold.refusal import Refused


def append_to_tuple(source: str, variable: str, element: str) -> str:
    """The source with one more element at the end of the tuple that the module assigns."""
    found = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and names_of(node) == [variable]
    ]
    match found:
        case [ast.Tuple(elts=[*_, last])]:
            return insert_after(source, last, element)
    raise Refused(f"There is no tuple {variable} to add {element} to")


def append_to_import(source: str, module: str, name: str) -> str:
    """The source with one more name in the module's `from ... import`."""
    found = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and node.module == module
    ]
    match found:
        case [ast.ImportFrom(names=[*_, last])]:
            return insert_after(source, last, name)
    raise Refused(f"Nothing is imported from {module} to add {name} to")


def names_of(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def insert_after(source: str, node: ast.expr | ast.alias, text: str) -> str:
    lines = source.splitlines(keepends=True)
    *before, line = lines[: node.end_lineno]
    # The parser counts in bytes of UTF-8.
    column = len(line.encode()[: node.end_col_offset].decode())
    end = sum(map(len, before)) + column
    return f"{source[:end]}, {text}{source[end:]}"


def identifiers(source: str) -> Iterator[str]:
    """Every name that the source uses or gives, of variables, arguments, attributes and imports."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.alias(name=name, asname=given):
                yield given or name
            case ast.keyword(arg=str(name)):
                yield name
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AsyncFunctionDef(name=name):
                yield name
            case _:
                pass
