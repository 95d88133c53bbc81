"""No regular expression of ours takes long, whatever it is given.

Every one in myapp/ is found, by walking the modules and by reading their source for those that
stand in a call. Each is fed long input made from its own characters: whatever repeats in it
repeats here, and then what it wants does not come.
"""

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from re import _parser  # what a pattern is made of
from typing import Any, NamedTuple

import myapp

LENGTH = 30_000  # characters; what is quadratic takes minutes for them, and what is linear 1 ms
LIMIT_SECONDS = 10.0  # of processor time, for one pattern and all that it is fed
MANY = 40  # fewer would mean that they are not found any more
SOURCE = Path(myapp.__file__).parent
METHODS = ("fullmatch", "match", "search", "sub", "split", "findall", "finditer")


class Found(NamedTuple):
    """A pattern, where it stands, and how it is used."""

    place: str
    pattern: "re.Pattern[Any]"
    methods: frozenset[str]


@cache
def sources() -> Mapping[str, str]:
    """The text of every module, by its path."""
    files = (path for path in SOURCE.rglob("*.py") if "generated" not in path.parts)
    return {str(path.relative_to(SOURCE)): path.read_text() for path in files}


def compiled() -> Iterator[Found]:
    """Those that modules hold, alone or in a mapping."""
    whole = "\n".join(sources().values())
    for module in pkgutil.walk_packages([str(SOURCE)], "myapp."):
        if module.name == "myapp.__main__" or ".generated" in module.name:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            values = value.values() if isinstance(value, dict) else (value,)
            for each in (each for each in values if isinstance(each, re.Pattern)):
                used = frozenset(re.findall(rf"\b{name}\.({'|'.join(METHODS)})\(", whole))
                yield Found(f"{module.name}.{name}", each, used or frozenset({"fullmatch"}))


def written_out() -> Iterator[Found]:
    """Those that stand in a call: `re.search("...", text)`, `Field(pattern="...")`."""
    for path, text in sources().items():
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            function = ast.unparse(call.func)
            first = call.args[0] if call.args else None
            method = function.removeprefix("re.")
            if f"re.{method}" == function and method in METHODS and isinstance(first, ast.Constant):
                yield Found(f"{path}:{call.lineno}", re.compile(first.value), frozenset({method}))
            for keyword in call.keywords:
                # An attribute hands on what another call was given.
                if keyword.arg == "pattern" and not isinstance(keyword.value, ast.Attribute):
                    pattern = re.compile(value_of(keyword.value, path))
                    yield Found(f"{path}:{call.lineno}", pattern, frozenset({"search"}))


def value_of(node: ast.expr, path: str) -> str:
    """A text that stands there, or one that the module has under that name."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    module = importlib.import_module(f"myapp.{path.removesuffix('.py').replace('/', '.')}")
    return str(getattr(module, ast.unparse(node)))


def every_pattern() -> list[Found]:
    seen = {(each.pattern, each.methods): each for each in (*written_out(), *compiled())}
    return sorted(seen.values(), key=lambda each: each.place)


def characters(parsed: Any) -> Iterator[int]:
    """One character for each literal, class and range in a parsed pattern."""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield argument if name == "LITERAL" else (argument + 1) % 128
        elif name == "ANY":
            yield ord("x")
        elif name == "RANGE":
            yield argument[0]
        elif name == "CATEGORY":
            yield {"DIGIT": ord("7"), "SPACE": ord(" ")}.get(str(argument)[9:], ord("w"))
        elif name == "IN":
            yield from characters(argument)
        else:
            for part in argument if isinstance(argument, tuple) else (argument,):
                yield from inner(part)


def inner(part: Any) -> Iterator[int]:
    if isinstance(part, _parser.SubPattern):
        yield from characters(part)
    elif isinstance(part, list):
        for each in part:
            yield from inner(each)


def hostile(pattern: "re.Pattern[Any]", length: int) -> Iterator[str]:
    """Long texts of what the pattern repeats, each with an end that spoils the match."""
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    known = list(dict.fromkeys(characters(_parser.parse(pattern.pattern, flags))))
    letters = [chr(each) for each in known if each < 128][:12]
    start = "".join(letters)
    for one in letters:
        yield one * length + "\x00"
        yield start + one * length + "\x00"
        for other in letters:
            yield (one + other) * (length // 2) + "\x00"
    yield start * (length // max(1, len(start))) + "\x00"


def length_for(place: str) -> int:
    """How long a text can come to it: a content type of over 191 characters is none."""
    return 200 if place.endswith("REFINEMENTS") else LENGTH


def busy_seconds(found: Found, *, length: int, limit: float) -> float:
    """How much of the processor the pattern takes for all of it, or until it is over the limit."""
    began = time.process_time()
    for text in hostile(found.pattern, length):
        fed = text.encode("latin-1") if isinstance(found.pattern.pattern, bytes) else text
        for method in found.methods:
            result = getattr(found.pattern, method)(*(("", fed) if method == "sub" else (fed,)))
            if method == "finditer":
                list(result)
        if time.process_time() - began > limit:
            break
    return time.process_time() - began


def test_no_input_keeps_one_busy() -> None:
    busy = {
        found.place: busy_seconds(found, length=length_for(found.place), limit=LIMIT_SECONDS)
        for found in every_pattern()
    }
    assert len(busy) > MANY
    assert {place: taken for place, taken in busy.items() if taken >= LIMIT_SECONDS} == {}


def test_one_that_is_slow_would_be_noticed() -> None:
    slow = Found("here", re.compile(r"\s+;"), frozenset({"search"}))
    quick = Found("here", re.compile(r"\s+;"), frozenset({"match"}))
    wasted = busy_seconds(slow, length=LENGTH // 3, limit=LIMIT_SECONDS)
    assert wasted > 20 * busy_seconds(quick, length=LENGTH // 3, limit=LIMIT_SECONDS)
