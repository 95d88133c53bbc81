"""Who can read the files that hold secrets."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from myapp.config import Settings
from myapp.database.url import parse_target
from myapp.doctor.findings import Finding, failed, ok, warning
from myapp.doctor.running import in_daemon_thread

GROUP = stat.S_IRWXG
OTHERS = stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Secret:
    """A file or folder. One of ours was made for its owner alone; others come as they come."""

    path: Path
    ours: bool


async def look_at_permissions(settings: Settings) -> Sequence[Finding]:
    """Everything with a secret in it that is there."""
    return await in_daemon_thread(partial(judge_permissions, list(secrets_of(settings))))


def secrets_of(settings: Settings) -> Iterator[Secret]:
    yield Secret(settings.data_dir, ours=True)
    for path in (settings.secret_key_file, settings.identity_key_file):
        yield Secret(path, ours=True)
    target = parse_target(settings)
    if target.dialect == "sqlite":
        yield Secret(Path(target.credentials["file_path"]), ours=True)
    yield Secret(Path(".env"), ours=False)
    if settings.grpc_tls_key:
        yield Secret(settings.grpc_tls_key, ours=False)
    credentials = settings.firebase_credentials
    if credentials and not (text := credentials.get_secret_value()).lstrip().startswith("{"):
        yield Secret(Path(text), ours=False)


def judge_permissions(secrets: Sequence[Secret]) -> list[Finding]:
    modes = [(secret, secret.path.stat()) for secret in secrets if secret.path.exists()]
    open_ones = [
        judge(secret, stat.S_IMODE(status.st_mode), folder=stat.S_ISDIR(status.st_mode))
        for secret, status in modes
        if status.st_mode & (GROUP | OTHERS)
    ]
    return open_ones or [ok("permissions", "Files with secrets belong to their owner alone")]


def judge(secret: Secret, mode: int, *, folder: bool) -> Finding:
    who = "everybody on this machine" if mode & OTHERS else "its group"
    message = f"{secret.path} is open to {who} (mode {mode:03o})"
    advice = f"chmod {'700' if folder else '600'} {secret.path}"
    # What a platform mounts is often open to all of a container, in which there is nobody else.
    if secret.ours and mode & OTHERS and not folder:
        return failed("permissions", message, advice)
    return warning("permissions", message, advice)
