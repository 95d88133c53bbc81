"""Schemathesis over the whole OpenAPI document, against the real program."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.program import environment, run_program, running_program, token_for


def refusal_in_our_words(
    _context: CheckContext, response: Response, _case: "Case[Any]"
) -> bool | None:
    """Pydantic's sentences begin with a capital; what reads after a field's name does not."""
    for fault in response.json()["details"] if response.status_code == 400 else ():
        assert fault["message"][0].islower(), fault
    return None


pytestmark = pytest.mark.xdist_group("fuzz")  # one program for both, and one `never_wrong`

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    refusal_in_our_words,
]
EXAMPLES = 2  # of each operation, valid ones and then as many that are not
ENDLESS = ("/events", "/admin/events")  # streams, which have tests of their own
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

Operation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[Any]

bounded = hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def api(folder: Path) -> Iterator[str]:
    env = environment(folder / "data", RATE_LIMIT_FAILED_SIGN_IN="off")
    with running_program("--role=api", env=env, cwd=folder) as program:
        yield program.api


@pytest.fixture(scope="module")
def never_wrong() -> set[str]:
    """Operations about which nothing can be wrong: to find that out takes a thousand tries."""
    return set()


def tokens_of(audience: str, folder: Path, count: int) -> list[str]:
    """One token a turn: some delete whoever asks. The command line makes the administrator."""
    env = environment(folder / "data")
    emails = [f"{audience}{number}@example.com" for number in range(count)]
    if audience == "admin":
        emails = emails[:1] * count
        granted = run_program("admin", "grant", emails[0], env=env, cwd=folder)
        assert granted.returncode == 0, granted.stderr
    return [token_for(email, env) for email in emails]


def document_of(api: str) -> dict[str, Any]:
    """The document, of which credentials are no part: it would send bad ones in their place."""
    document: dict[str, Any] = httpx.get(f"{api}/openapi.json").json()
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


def try_out(operation: Operation, mode: GenerationMode, *, api: str, token: str) -> None:
    """Raises what the checks find."""
    headers = {"Authorization": f"Bearer {token}"}

    @seed(20261122)
    @bounded
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: AnyCase) -> None:
        case.call_and_validate(base_url=api, headers=headers, checks=CHECKS, timeout=10)

    ask()


@pytest.mark.timeout(180)  # it takes 20 s when nothing else runs
@pytest.mark.parametrize("audience", ["user", "admin"])
def test_every_answer_is_foreseen(
    api: str, folder: Path, never_wrong: set[str], audience: str
) -> None:
    schema = schemathesis.openapi.from_dict(document_of(api))
    operations = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]  # the document is valid
    tokens = tokens_of(audience, folder, len(operations) * len(MODES) + 1)
    failures: list[str] = []
    headers = {"Authorization": f"Bearer {tokens.pop()}"}
    status = httpx.get(f"{api}/admin/queues", headers=headers).status_code
    assert status == {"user": 403, "admin": 200}[audience]
    for operation in operations:
        if operation.method.upper() == "GET" and operation.path in ENDLESS:
            continue
        for mode in MODES:
            if mode is GenerationMode.NEGATIVE and operation.label in never_wrong:
                continue
            try:
                try_out(operation, mode, api=api, token=tokens.pop())
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, operation.label
                never_wrong.add(operation.label)
            except Exception as error:  # noqa: BLE001  # all of them at once, for the reader
                failures.append(f"{operation.label} {mode.name}: {error}")
    assert not failures, "\n\n".join(failures)
