"""What a check has found."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a finding is to be taken; only `failed` makes the command exit with 1."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of what is, and one of what to do; None where there is nothing to do.

    `name` is stable: its first part names the check. Neither sentence holds a secret.
    """

    name: str
    status: Status
    message: str
    advice: str | None = None


def ok(name: str, message: str, advice: str | None = None) -> Finding:
    return Finding(name, Status.OK, message, advice)


def warning(name: str, message: str, advice: str) -> Finding:
    return Finding(name, Status.WARNING, message, advice)


def failed(name: str, message: str, advice: str) -> Finding:
    return Finding(name, Status.FAILED, message, advice)


def worst(findings: Iterable[Finding]) -> Status:
    """The status of them all together."""
    found = {finding.status for finding in findings}
    return next((each for each in (Status.FAILED, Status.WARNING) if each in found), Status.OK)
