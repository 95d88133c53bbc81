"""Secrets are compared in constant time: by `hmac.compare_digest`, ours and our libraries'.

`==` stops at the first character that differs, and how long it took tells how many were right.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import itsdangerous
import jwt.algorithms
import pytest

import myapp

SOURCE = Path(myapp.__file__).parent
SECRET = re.compile(r"secret|signature|\bmac\b|digest|token|ticket|password|api_key|credential")
# Comparisons that name a secret and give nothing away, and why.
HARMLESS = {
    "bound_to != digest": "after the signature over it was found good",
    "bound_to != digest.hex()": "after the signature over it was found good",
    "(self.aws_access_key_id is None) != (self.aws_secret_access_key is None)": "settings",
    "filtered_by != digest_of(bound_to)": "after the signature over it was found good",
}


def comparisons() -> Iterator[tuple[str, str]]:
    """Every `==` and `!=` in the program that names something secret, by where it stands.

    What the program has written out, as `name == "password"` has, is no secret.
    """
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                text = ast.unparse(node)
                if isinstance(node.comparators[0], ast.Constant):
                    continue
                if SECRET.search(text.lower()):
                    yield f"{path.relative_to(SOURCE)}:{node.lineno}", text


def test_none_of_ours_is_by_equality() -> None:
    assert [(place, text) for place, text in comparisons() if text not in HARMLESS] == []


def test_no_exception_is_out_of_date() -> None:
    assert HARMLESS.keys() <= {text for _, text in comparisons()}


@pytest.mark.parametrize("library", [itsdangerous.signer, jwt.algorithms])
def test_our_libraries_do_the_same(library: object) -> None:
    assert re.search(r"(hmac\.|\b)compare_digest\(", inspect.getsource(library))  # type: ignore[arg-type]  # a module
