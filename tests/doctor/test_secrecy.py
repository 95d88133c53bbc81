"""What is printed holds no secret."""

import pytest

from myapp.doctor.secrecy import Secrecy, show_url
from myapp.errors import Unavailable
from tests.doctor.conftest import MakeSettings

SECRETS = {
    "database_url": "postgres://ada:correct%20horse@db.example.com/app",
    "redis_url": "redis://cache.example.com?password=battery",
    "secret_key": "staple-" * 5,
}


@pytest.mark.parametrize(
    "text",
    ["correct horse", "correct%20horse", "battery", "staple-" * 5, SECRETS["database_url"]],
)
def test_an_exception_loses_the_secrets_that_it_repeats(
    make_settings: MakeSettings, text: str
) -> None:
    secrecy = Secrecy(make_settings(**SECRETS))
    shown = secrecy.explain(ValueError(f"cannot use {text} here"))
    assert shown == "ValueError: cannot use *** here"


def test_what_lies_behind_our_own_errors_is_told(make_settings: MakeSettings) -> None:
    error = Unavailable("The database is out of reach")
    error.__cause__ = OSError("connection\nrefused")
    shown = Secrecy(make_settings()).explain(error)
    assert shown == "The database is out of reach (OSError: connection refused)"


def test_a_url_is_shown_without_user_password_and_options() -> None:
    shown = show_url("rediss://user:secret@cache.example.com:6380/1?password=x")
    assert shown == "rediss://cache.example.com:6380/1"
    assert show_url("unix:///run/redis.sock?db=1") == "unix:///run/redis.sock"
