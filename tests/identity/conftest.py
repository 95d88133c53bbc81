"""A Valkey server of each test's own, which it may kill."""

from collections.abc import Callable

import pytest

from tests.support.valkey import Valkey


@pytest.fixture
def valkey_socket(own_valkey: Valkey) -> str:
    return own_valkey.socket


@pytest.fixture
def kill_valkey(own_valkey: Valkey) -> Callable[[], None]:
    return own_valkey.kill


@pytest.fixture
def start_valkey(own_valkey: Valkey) -> Callable[[], None]:
    """Again, after it was killed."""
    return own_valkey.start
