"""Keeping secrets out of what is printed."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from myapp.config import Settings
from myapp.doctor.running import innermost
from myapp.errors import AppError, ConfigError

HIDDEN = "***"


class Secrecy:
    """Explains exceptions without the settings' secrets: a library's text may repeat its input."""

    def __init__(self, settings: Settings) -> None:
        # The longest first, since a password is also a part of its URL.
        self._secrets = sorted(set(secrets_of(settings)), key=len, reverse=True)

    def explain(self, error: BaseException) -> str:
        """One line: ours as it is, and for what is behind it or not ours its type too."""
        cause = innermost(error)
        text = " ".join(str(cause).split())
        if not isinstance(cause, AppError | ConfigError):
            text = f"{type(cause).__name__}: {text}" if text else type(cause).__name__
        if cause is not error:
            text = f"{error} ({text})"
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def secrets_of(settings: Settings) -> Iterator[str]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) and (text := value.get_secret_value()):
            yield text
            yield from passwords_of(text)


def passwords_of(url: str) -> Iterator[str]:
    """As it stands in a URL and as it is meant."""
    try:
        parts = urlsplit(url)
        found = [
            parts.password,
            *(text for name, text in parse_qsl(parts.query) if name == "password"),
        ]
    except ValueError:
        return
    for password in filter(None, found):
        yield password
        yield unquote(password)


def show_url(url: str) -> str:
    """Where a URL leads: without user, password and options."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{address}{parts.path}"
