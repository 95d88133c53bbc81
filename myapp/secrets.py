"""Secrets that the program makes for itself and keeps in a file, and keys derived from them."""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from myapp.errors import ConfigError


def read_or_make(path: Path, *, size: int = 32) -> bytes:
    """The secret in the file at `path`, made when there is none: `size` random bytes as text.

    It is text (ASCII), so that it can be moved to an environment variable as it is and still be
    the same secret. Processes that ask at once get the same one. Raises ConfigError when the file
    cannot be read or made, or holds less than `size` bytes.
    """
    try:
        with suppress(FileNotFoundError):
            return read(path, size=size)
        make(path, size=size)
        return read(path, size=size)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"DATA_DIR: the secret in {path} cannot be used: {reason}") from error


def read(path: Path, *, size: int) -> bytes:
    secret = path.read_bytes().strip()
    if len(secret) < size:
        raise ConfigError(f"DATA_DIR: the secret in {path} has less than {size} bytes")
    return secret


def make(path: Path, *, size: int) -> None:
    """Makes the file in one step, complete: whoever comes second leaves the first one's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write(draft, secrets.token_urlsafe(size).encode())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose alone: knowing it gives away neither secret nor siblings.

    This is HKDF-SHA256 (RFC 5869) without salt, whose output is one block.
    """
    pseudorandom = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(pseudorandom, purpose.encode() + b"\x01", "sha256")
